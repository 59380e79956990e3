"""Stage export: the ONNX file, its parity with the Keras network, and the model card."""
