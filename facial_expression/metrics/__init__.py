"""Scores of a classifier, written where scikit-learn and SciPy have none."""
