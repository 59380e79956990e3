"""Models, augmentation, schedules and the training loop."""
