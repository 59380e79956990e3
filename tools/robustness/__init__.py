"""Command: accuracy under corruptions of the pictures."""
