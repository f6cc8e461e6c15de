"""The tiny CLIPs and photos of tests/clip."""

from tests.clip.conftest import folder, libraries, open_clip_folder, photos

__all__ = ["folder", "libraries", "open_clip_folder", "photos"]
