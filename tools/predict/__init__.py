"""Command: expressions of the faces in photographs and videos."""
