import tests.configured  # noqa: F401
