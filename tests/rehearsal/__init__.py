"""What Metal would refuse, tried without a Mac: all pages run on a CPU that says no as Metal does."""
