"""One HTML file of a run, for reading: `run.read` -> `page.render`."""
