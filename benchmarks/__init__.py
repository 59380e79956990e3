"""Side-by-side timings, run as `python -m benchmarks.<name>`; never collected by pytest."""
