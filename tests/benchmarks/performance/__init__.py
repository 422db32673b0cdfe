"""How fast are Seqlab's models beside PyTorch and stock mlx.nn, on one machine, in one run?"""
