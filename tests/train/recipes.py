"""A recipe in memory, for the tests that fit something."""

from facial_expression.network.recipe import (
    Augmentation,
    Averaging,
    Initial,
    Optimizer,
    Recipe,
    Teacher,
)

PLAIN = Augmentation(
    flip="none", shift=0, scale=0, rotation=0, erasing=0, brightness=0, contrast=0, mixup=0
)
RECIPE = Recipe(
    model="small",
    backend="tensorflow",
    precision="float32",
    threads=2,
    distribution="none",
    seed=0,
    epochs=3,
    batch_size=16,
    optimizer=Optimizer(name="adam", learning_rate=0.001, weight_decay=0, adam_rate=1),
    schedule="constant",
    augmentation=PLAIN,
    label_smoothing=0,
    averaging=Averaging(decay=0, start=0),
    initial=Initial(weights="", sha256="", classes=(), layer_rate=1, origin=""),
    teacher=Teacher(weights="", sha256="", classes=(), share=0),
    monitor="val_loss",
    keep="last",
)
"""The plainest recipe: Adam, a constant rate, no augmentation."""
