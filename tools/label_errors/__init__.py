"""Command: which labels look wrong."""
