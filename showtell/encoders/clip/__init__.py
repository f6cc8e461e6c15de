"""The towers of CLIP (arXiv:2103.00020), from open_clip or transformers: for CLIPScore, and `encoder=clip`."""
