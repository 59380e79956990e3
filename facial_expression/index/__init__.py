"""Stage index: a row a picture, splits, audit, what leaves training."""
