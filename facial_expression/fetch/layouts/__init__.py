"""Layouts of data sets: a module each, which tells its own sets and lists their pictures."""
