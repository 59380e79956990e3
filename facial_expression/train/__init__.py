"""Stage train: models, batches, the training loop."""
