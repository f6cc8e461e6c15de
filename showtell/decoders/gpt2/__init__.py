"""GPT-2 with cross-attention to the image, and the files that its weights come from."""

from showtell.decoders.gpt2.decoder import GPT2

__all__ = ["GPT2"]
