"""A captioner -> ONNX: three graphs, and a runner that needs numpy, Pillow and onnxruntime alone."""
