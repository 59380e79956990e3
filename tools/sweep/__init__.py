"""A search for the values of a recipe, by Optuna; each finished trial is a DVC experiment."""
