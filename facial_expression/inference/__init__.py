"""Photographs -> faces -> probabilities of expressions, with ONNX networks, without TensorFlow."""

import os

# From 1.29 on, onnxruntime's wheels report models and machine to their maker (its pull request
# 27379).  This switches the reports off unless the user has set the variable.  It must come before
# the first import of onnxruntime.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
