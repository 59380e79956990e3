"""Stage export: the ONNX file, its parity with the network, the model card."""
