"""How many trainings an hour, beside PyTorch: the learning pages' own networks, at their own sizes."""
