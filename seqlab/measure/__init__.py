"""What does a model cost, and how does information flow in it: one measurement a file."""
