"""What the architectures share: attention, positions, recurrence, convolutions, scans, losses, checks."""
