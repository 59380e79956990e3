"""Figures from numbers and arrays; the only place that imports Matplotlib."""
