"""Scores of a classifier, their intervals, calibration, and comparisons of runs."""
