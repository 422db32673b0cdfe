"""What models learn from: one data set a file, each split without leaks, each with a classical baseline."""
