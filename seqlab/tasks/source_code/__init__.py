"""The running Python's standard library as tokens, split by file: what is typed next?

    source   for name in names:  # a comment
                 print(f"{name}: {names[name]}", 1)
    tokens   for name in names : <newline> <indent> print ( <string> , <number> ) <newline> …

`tokens` turns a file into tokens and back into text, `library` reads and splits the files, `coding` gives a
network its ids, `windows` and `scoring` say where models are scored and on which kinds of token, and
`examples` shows some lines beside their completions.
"""
