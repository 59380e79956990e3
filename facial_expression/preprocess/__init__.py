"""Stage preprocess: pictures to arrays of uint8."""
