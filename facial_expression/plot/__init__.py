"""Stage plot: figures and sheets of pictures."""
