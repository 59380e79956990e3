"""Command: expressions of the faces on photographs and videos."""
