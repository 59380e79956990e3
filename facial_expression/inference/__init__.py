"""Faces and their expressions on any picture: detection, cutting out, an ONNX network, records."""
