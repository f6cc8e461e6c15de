"""CLIP (arXiv:2103.00020), from open_clip or transformers: photos and texts -> vectors of one space."""


class Clip:
    """A CLIP model that embeds photos and texts; nothing is loaded before it is asked for something."""
