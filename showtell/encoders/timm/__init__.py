"""Any network of timm, with its weights."""
