"""A page to try a network on, served to this machine's browser: see `python -m tools.web --help`."""
