"""The library behind the stages: everything that the pipeline knows how to do."""
