"""What is timed and never asserted on: Seqlab itself (pytest-benchmark), and its models (`performance`)."""
