"""Tasks made by code, each with the score of guessing: what must a model remember, count or look up?"""
