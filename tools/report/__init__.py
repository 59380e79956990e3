"""Command: one HTML page about the active run."""
