"""Tests of what makes a stored result stale."""
