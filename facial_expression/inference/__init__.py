"""Faces and their expressions on any picture: detection, cutting out, an ONNX network, records."""

import os

# onnxruntime's wheels report models and machine to their maker from 1.29 on (its pull request
# 27379).  This ends it, where it stands before the library is first imported; who sets it keeps it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
