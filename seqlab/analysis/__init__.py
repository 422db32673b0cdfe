"""From measurements to verdicts: evidence, intervals, summaries, fairness. Never imports MLX."""
