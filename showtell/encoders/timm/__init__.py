"""Any network of timm as an encoder, and how its weights are loaded."""
