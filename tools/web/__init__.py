"""A page to try a network on: see `python -m tools.web --help`."""
