"""Any causal language model of transformers, with the image as a prefix."""

from showtell.decoders.language_model.decoder import LanguageModel

__all__ = ["LanguageModel"]
