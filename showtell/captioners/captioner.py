"""The contract of every captioner: what predict, evaluate, compare and explain may call.

A captioner needs two methods, `caption` and `save_pretrained`. If it reads features, as a trained network does, it also
has an encoder and `describe`; then `caption` is one call of `from_features`. A captioner is built from parts, not from
a recipe: `recipe` only records where it came from.
"""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from PIL import Image

from showtell.cache import encode
from showtell.captioners.caption import Caption
from showtell.captioners.views import encoder_of_views
from showtell.checkpoint import read_recipe, write_recipe
from showtell.data.images import open_image, upright_rgb
from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.encoders.turned import Views
from showtell.features import Seen
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import write_text
from showtell.plumbing.hub import hub_is_out_of_reach
from showtell.plumbing.origin import public_values
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


def no_options() -> None:
    """The options of a captioner without options."""


class Builder(Protocol):
    """Builds the parts that a recipe names: `build("decoder", feature_dim, vocabulary_size)`."""

    def __call__(self, section: str, *arguments: Any) -> Any: ...

    def captioner(self, folder: Path) -> "Captioner":
        """Load the captioner in another folder."""


class Captioner(ABC):
    """`decode` and `views` say how it captions; you may set them. `recipe`, if any, says where it came from.

    `save_pretrained` and `push_to_hub` work as for Hugging Face's models.
    """

    name: str  # its name in CAPTIONERS and in `captioner.name` of a recipe
    options: ClassVar[Callable[..., Any]] = no_options  # its keyword-only arguments are the section `captioner`
    sections: tuple[str, ...] = ()  # the recipe sections it needs, in addition to data, captioner, train and evaluate
    learns = False  # whether the training loop trains it
    needs_data = True  # whether its recipe must name data; False if others trained it
    at_once: int | None = None  # the most photos that `caption` takes at once; None means any number
    recipe: Recipe | None = None
    decode: Mapping[str, Any] = MappingProxyType({})  # the decoding strategy (`name`) and its options
    views: Views = "none"  # augmented views of a photo that it also reads, for example mirrored ones
    encoder: Encoder | None = None  # computes the features that `describe` reads; None if it reads none

    @abstractmethod
    def caption(self, images: Sequence[str | Path | Image.Image], **decode: Any) -> list[Caption]:
        """One caption for each path or PIL image. Keyword arguments such as `num_beams=3` override `self.decode`.

        Raises InputError if a photo cannot be read, RecipeError if a decoding option is not allowed.
        """

    @abstractmethod
    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        """Write all that `showtell.load` needs. A frozen encoder's weights are not written; they are loaded by name.

        `half` writes weights as fp16, which is half the size; loading converts them to fp32.
        """

    @classmethod
    def read(cls: type[C], recipe: Recipe, folder: Path, build: Builder) -> C:
        """Load what `save_pretrained` wrote. Raises InputError if files are missing or do not fit the recipe."""
        raise InputError(f"{folder} has captioner {cls.name!r}, which cannot be loaded from a folder")

    @property
    def manner(self) -> str:
        """How it decodes, in one line for the signatures of scores, for example `beam(num_beams=5)`."""
        return self.name

    @property
    def fingerprint(self) -> str:
        """A digest of all that its captions depend on. Captioners with equal digests give equal captions."""
        modules = {"encoder": self.encoder, "decoder": getattr(self, "decoder", None)}
        tensors: dict[str, torch.Tensor] = {}
        for part, module in modules.items():
            if module is not None:
                tensors |= {f"{part}.{name}": tensor for name, tensor in module.state_dict().items()}
        return digest((self.name, self.manner, self.recipe), tensors)

    @property
    def parts(self) -> str:
        """Its parts, in one line for its model card."""
        return f"captioner `{self.name}`"

    @property
    def chosen_by(self) -> str | None:
        """The validation metric that chose its epoch, if any."""
        return None

    @property
    def device(self) -> torch.device:
        """The device that it computes on."""
        return torch.device("cpu")

    def to(self: C, device: torch.device | str) -> C:
        """Move its weights, if any."""
        return self

    def adopt(self, recipe: Recipe) -> None:
        """Caption from now on as this checked recipe says; it has the same weights."""
        self.decode = recipe.get("decode", self.decode)
        self.views = recipe["captioner"].get("views", self.views)

    def check_decoding(self) -> None:  # noqa: B027 - a captioner without a decoder has nothing to check
        """Raise RecipeError if `decode` has an option that it cannot obey. Called before any photo is read."""

    def open(self, path: Path) -> Image.Image:
        """Open a photo for `caption`; its `filename` is the path. Raises InputError if it cannot be read."""
        image = open_image(path)
        image.filename = str(path)  # type: ignore[attr-defined]  # Pillow's name for it
        return image

    def describe(self, features: Seen, **decode: Any) -> list[Caption]:
        """Features -> one caption per image. Only captioners with an encoder have it."""
        raise NotImplementedError(f"captioner {self.name!r} reads no features")

    def push_to_hub(self, repo_id: str, *, private: bool | None = None, token: str | None = None) -> str:
        """Save to a repository of the Hugging Face Hub and return its URL."""
        from huggingface_hub import HfApi

        if hub_is_out_of_reach():
            raise InputError("the Hugging Face Hub is out of reach; save_pretrained(FOLDER) writes the same to disk")
        api = HfApi(token=token)
        url = api.create_repo(repo_id, private=private, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            if self.recipe is not None:  # nobody else has the folders of this machine
                write_recipe(Path(folder), public_values(read_recipe(Path(folder))))
            api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Upload a Showtell captioner")
        return str(url)


def from_features(
    captioner: Captioner, images: Sequence[str | Path | Image.Image], decode: Mapping[str, Any]
) -> list[Caption]:
    """`caption` for a captioner with an encoder: encode the photos, then call `describe` on the features."""
    assert captioner.encoder is not None
    opened = photos(images, captioner.open)
    seen_by = encoder_of_views(captioner.encoder, captioner.views)
    return captioner.describe(encode(seen_by, opened), **decode) if opened else []


@contextmanager
def saved(captioner: Captioner, folder: str | Path) -> Iterator[Path]:
    """Create the folder, let the caller write its files, then add a model card if there is none."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    if not (folder / "README.md").exists():
        write_text(folder / "README.md", CARD.format(parts=captioner.parts))


def photos(images: Sequence[str | Path | Image.Image], open: Callable[[Path], Image.Image]) -> list[Image.Image]:
    """Paths and PIL images -> upright RGB images. Raises InputError if `images` is one photo instead of a list."""
    if isinstance(images, str | Path | Image.Image):
        raise InputError("caption takes a list of photos; for one photo, write caption([photo])")
    return [upright_rgb(image) if isinstance(image, Image.Image) else open(Path(image)) for image in images]
