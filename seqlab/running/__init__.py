"""Running trials: which are due and why, each in a process of its own, with progress shown."""
