"""The one record that every data format yields: an image, its human captions, its split."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One image with its reference captions; `references` is empty for photos that nobody captioned."""

    image_id: str
    path: Path
    references: tuple[str, ...]
    split: str  # train, val or test
