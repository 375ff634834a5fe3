"""Versions, labels and the history of a model."""
