"""The running Python's standard library as tokens, split by file: what is typed next?

    source   for name in names:  # a comment
                 print(f"{name}: {names[name]}", 1)
    tokens   for name in names : <newline> <indent> print ( <string> , <number> ) <newline> …

`tokens` turns a file into tokens and back into text, `library` reads and splits the files, `coding` gives a
network its ids, and `windows` says where models are scored.
"""
