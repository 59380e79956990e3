"""The page of `tools.web` without a server: see `python -m tools.site --help`."""
