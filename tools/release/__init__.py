"""Command: keep the embedded remote and released/ up to date."""
