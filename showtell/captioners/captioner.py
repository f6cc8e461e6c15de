"""What captions photos, whatever it is made of: the contract that predict, evaluate, compare and explain know.

A captioner needs two methods, `caption` and `save_pretrained`. One that reads cached features, such as a trained
network, has an encoder too: it writes `describe`, and `caption` follows from that. A captioner knows no recipe: it is
built from parts, and `recipe` only says where it came from.
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
from showtell.data.images import open_image, upright_rgb
from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.encoders.turned import Views
from showtell.features import Seen
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import write_text
from showtell.plumbing.hub import hub_is_out_of_reach
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
    """A captioner whose section has nothing to set."""


class Builder(Protocol):
    """How a captioner gets the parts that its recipe names: `build("decoder", feature_dim, vocabulary_size)`."""

    def __call__(self, section: str, *arguments: Any) -> Any: ...

    def captioner(self, folder: Path) -> "Captioner":
        """The captioner that another folder holds."""


class Captioner(ABC):
    """`decode` and `views` say how it captions, and may be set; `recipe` says where it came from, if it has one.

    `save_pretrained` and `push_to_hub` mean what they mean for Hugging Face's models.
    """

    name: str  # its own in CAPTIONERS, and in `captioner.name` of its recipes
    options: ClassVar[Callable[..., Any]] = (
        no_options  # whose keyword-only arguments are the recipe's section `captioner`
    )
    sections: tuple[str, ...] = ()  # what its recipes have beside data, captioner, train and evaluate
    learns = False  # whether it is trained by steps
    needs_data = True  # whether its recipe must name data: not if others trained it
    at_once: int | None = None  # photos that `caption` takes in one go; None if that is for others to decide
    recipe: Recipe | None = None
    decode: Mapping[str, Any] = MappingProxyType({})  # the strategy of decoding by `name`, and its settings
    views: Views = "none"  # the views of a photo that it captions by, beside the upright one
    encoder: Encoder | None = None  # what gives the features that `describe` reads, if it reads any

    @abstractmethod
    def caption(self, images: Sequence[str | Path | Image.Image], **decode: Any) -> list[Caption]:
        """One caption for each path or PIL image, decoded as `decode` says, with changes such as `num_beams=3`.

        Raises InputError if a photo cannot be read, RecipeError if a change of the decoding is not allowed.
        """

    @abstractmethod
    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        """Write all that `showtell.load` needs; a frozen encoder's weights stay with their source.

        `half` writes weights as fp16, half the size; they are read back as fp32.
        """

    @classmethod
    def read(cls: type[C], recipe: Recipe, folder: Path, build: Builder) -> C:
        """What `save_pretrained` wrote. Raises InputError if files are missing or do not fit the checked recipe."""
        raise InputError(f"{folder} holds captioner {cls.name!r}, which cannot be loaded from a folder")

    @property
    def manner(self) -> str:
        """How it comes to its captions, for signatures of scores."""
        return self.name

    @property
    def fingerprint(self) -> str:
        """Digest of all that its captions come from. Equal ones caption a photo alike."""
        modules = {"encoder": self.encoder, "decoder": getattr(self, "decoder", None)}
        tensors: dict[str, torch.Tensor] = {}
        for part, module in modules.items():
            if module is not None:
                tensors |= {f"{part}.{name}": tensor for name, tensor in module.state_dict().items()}
        return digest((self.name, self.manner, self.recipe), tensors)

    @property
    def parts(self) -> str:
        """What it is made of, for its card."""
        return f"captioner `{self.name}`"

    @property
    def chosen_by(self) -> str | None:
        """The validation metric that chose its epoch, if one did."""
        return None

    @property
    def device(self) -> torch.device:
        """Where its features go."""
        return torch.device("cpu")

    def to(self: C, device: torch.device | str) -> C:
        """Move its weights, if it has any."""
        return self

    def adopt(self, recipe: Recipe) -> None:
        """Caption from now on as a checked recipe of the same weights says."""
        self.decode = recipe.get("decode", self.decode)
        self.views = recipe["captioner"].get("views", self.views)

    def check_decoding(self) -> None:  # noqa: B027 - most captioners can do all that their section allows
        """Raise RecipeError if `decode` asks for what it cannot do. Called before it sees a photo."""

    def open(self, path: Path) -> Image.Image:
        """The photo as `caption` takes it, with its path as `filename`. Raises InputError if it cannot be read."""
        image = open_image(path)
        image.filename = str(path)  # type: ignore[attr-defined]  # as Pillow calls it
        return image

    def describe(self, features: Seen, **decode: Any) -> list[Caption]:
        """The caption of each image from its features. A captioner without an encoder has no use for it."""
        raise NotImplementedError(f"captioner {self.name!r} reads no features")

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


def from_features(
    captioner: Captioner, images: Sequence[str | Path | Image.Image], decode: Mapping[str, Any]
) -> list[Caption]:
    """`caption` for a captioner with an encoder: see the photos by it, and describe what it gives."""
    assert captioner.encoder is not None
    opened = photos(images, captioner.open)
    seen_by = encoder_of_views(captioner.encoder, captioner.views)
    return captioner.describe(encode(seen_by, opened), **decode) if opened else []


@contextmanager
def saved(captioner: Captioner, folder: str | Path) -> Iterator[Path]:
    """The folder, which exists while its files are written; a card is added if it has none."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    if not (folder / "README.md").exists():
        write_text(folder / "README.md", CARD.format(parts=captioner.parts))


def photos(images: Sequence[str | Path | Image.Image], open: Callable[[Path], Image.Image]) -> list[Image.Image]:
    """Paths and PIL images -> upright RGB images; InputError for one photo that is no list."""
    if isinstance(images, str | Path | Image.Image):
        raise InputError("caption takes a list of photos, also for one photo: caption([photo])")
    return [upright_rgb(image) if isinstance(image, Image.Image) else open(Path(image)) for image in images]
