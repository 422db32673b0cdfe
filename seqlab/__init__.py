"""Seqlab: measure on your own machine why Transformers replaced RNNs, and when they should not have."""

__version__ = "0.1.0"
