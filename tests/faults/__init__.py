"""Campaigns that try to break Seqlab: random kills, faults, edits, files and texts (`nox -s faults`)."""
