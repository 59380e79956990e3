"""Picture files: the archive that holds them, and the one way from a file to a grey square."""
