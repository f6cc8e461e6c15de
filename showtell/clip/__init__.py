"""CLIP (arXiv:2103.00020), from open_clip or transformers: photos and texts -> vectors in one space."""

from showtell.clip.model import DEFAULT, Clip
from showtell.clip.protocols import PROTOCOLS, Protocol

__all__ = ["DEFAULT", "PROTOCOLS", "Clip", "Protocol"]
