"""The embedded sample: drawn faces."""
