"""Running trials: what is due and why, in a process of its own, with progress shown."""
