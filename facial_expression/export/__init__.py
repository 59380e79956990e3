"""Stage export: the ONNX file, its parity with the Keras network, and the model card."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for the reason in inference/__init__.py
