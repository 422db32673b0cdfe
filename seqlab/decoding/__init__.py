"""How does a trained model write: token by token, or several tokens in one pass?"""
