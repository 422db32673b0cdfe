"""Bach's four-part chorales as tokens and as a data set, with n-gram baselines and a piano roll."""
