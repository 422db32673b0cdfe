"""What an experiment page says: trials, claims, figures, measurements. Standard library only."""
