"""What architectures share: checks, activations, attention, positions, recurrence, scans, series."""
