"""Command: score a network on a folder of pictures."""
