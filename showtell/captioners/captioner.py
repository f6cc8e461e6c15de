"""What captions images, whatever it is made of: the contract that predict, evaluate, explain and the commands know."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL import Image

from showtell import checkpoint
from showtell.cache import encode
from showtell.captioners.caption import Caption
from showtell.captioners.hub import folder_of
from showtell.data.images import open_image, upright_rgb
from showtell.encoders.encoder import Encoder
from showtell.features import Features
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import write_text
from showtell.plumbing.hub import hub_is_out_of_reach
from showtell.recipe.check import check
from showtell.settings.text import Recipe

C = TypeVar("C", bound="Captioner")
CARD = """---
library_name: showtell
pipeline_tag: image-to-text
---
An image captioner made with Showtell: {parts}.

```python
import showtell
showtell.load("FOLDER_OR_HUB_ID").caption(["photo.jpg"])
```
"""


class Captioner(ABC):
    """`recipe` is the checked dict that it was built from.

    `save_pretrained`, `from_pretrained` and `push_to_hub` mean what they mean for Hugging Face's models.
    """

    name: str  # its own in CAPTIONERS, and in `captioner.name` of its recipes
    encoder: Encoder
    recipe: Recipe

    @property
    def eyes(self) -> Encoder:
        """What gives the features that `describe` reads: the encoder, on every view of a photo that is asked for."""
        return self.encoder

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where its features go."""

    @abstractmethod
    def to(self, device: torch.device | str) -> "Captioner": ...

    @abstractmethod
    def describe(self, features: Features, **decode: Any) -> list[Caption]:
        """The caption of each image from its features."""

    def check_decoding(self) -> None:
        """RecipeError where the recipe's decoding asks what this captioner cannot say: told before it sees a photo."""
        return

    @property
    @abstractmethod
    def manner(self) -> str:
        """How it comes to its captions, for signatures of scores."""

    @property
    @abstractmethod
    def parts(self) -> str:
        """What it is made of, for its card."""

    @property
    def chosen_by(self) -> str | None:
        """What its epoch was chosen by on validation, where it was."""
        return None

    @abstractmethod
    def save_files(self, folder: Path, *, half: bool) -> None:
        """Write everything but the card into a folder that is there."""

    @classmethod
    @abstractmethod
    def read(cls: type[C], recipe: Recipe, folder: Path) -> C:
        """What `save_files` wrote; InputError where files are missing or do not fit the checked recipe."""

    def caption(self, images: Sequence[str | Path | Image.Image], **decode: Any) -> list[Caption]:
        """One caption for each path or PIL image, with the recipe's decoding or changes such as `num_beams=3`."""
        if isinstance(images, str | Path | Image.Image):
            raise InputError("caption takes a list of photos, also where it is one: caption([photo])")
        opened = [upright_rgb(i) if isinstance(i, Image.Image) else self.open(Path(i)) for i in images]
        return self.describe(encode(self.eyes, opened), **decode) if opened else []

    def open(self, path: Path) -> Image.Image:
        """The photo at a size that the encoder has use for; InputError where it cannot be read."""
        return open_image(path, at_least=2 * self.encoder.image_size)

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        """Write recipe, weights, all else it needs, and a card; a frozen encoder's weights stay with their source.

        `half` writes weights as fp16, half the size; they are read back as fp32.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.save_files(folder, half=half)
        if not (folder / "README.md").exists():
            write_text(folder / "README.md", CARD.format(parts=self.parts))

    @classmethod
    def from_pretrained(cls: type[C], name_or_folder: str | Path) -> C:
        """A run or saved folder, or the id of a Hugging Face Hub repository.

        Raises InputError where there is none, where it holds another captioner, or its weights do not fit its recipe.
        """
        folder = folder_of(name_or_folder)
        recipe = check(checkpoint.read_recipe(folder))
        if (name := recipe["captioner"]["name"]) != cls.name:
            raise InputError(f"{folder} holds captioner {name!r}, not {cls.name!r}; showtell.load({str(folder)!r})")
        return cls.read(recipe, folder)

    def push_to_hub(self, repo_id: str, *, private: bool | None = None, token: str | None = None) -> str:
        """Save to a repository of the Hugging Face Hub; returns its URL."""
        from huggingface_hub import HfApi

        if hub_is_out_of_reach():
            raise InputError("the Hugging Face Hub is out of reach; save_pretrained(FOLDER) writes the same to disk")
        api = HfApi(token=token)
        url = api.create_repo(repo_id, private=private, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Upload a Showtell captioner")
        return str(url)
