"""Several trained captioners as one: every next word comes from the mean of their probabilities.

If one member gives `dog` .6 and another .2, the ensemble gives it .4. Any decoding strategy works. The folder of an
ensemble has `recipe.yaml` and a copy of each member, so you can move it. Members may have different encoders and
decoders, but their tokenizer files must be equal byte for byte, because an id must be the same word for all.
"""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from PIL import Image
from pydantic import Field

from showtell import checkpoint
from showtell.captioners import speaking
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Builder, Captioner, from_features, saved
from showtell.captioners.mean import MeanDecoder
from showtell.captioners.neural import Neural
from showtell.data.images import open_image
from showtell.encoders.encoder import Encoder
from showtell.encoders.joined import Joined
from showtell.encoders.turned import Views
from showtell.features import Seen, to
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import inside
from showtell.plumbing.reading import read_bytes
from showtell.settings.text import Recipe


def options(*, members: Annotated[tuple[str, ...], Field(min_length=2)], views: Views = "none") -> None:
    """`members`: folders of trained captioners inside the ensemble's folder; `showtell ensemble` writes them."""


class Ensemble(Captioner):
    """Keeps its members as they are. Members with equal encoders share one, so each photo is encoded once for them."""

    name, options, sections = "ensemble", options, ("decode",)
    recipe: Recipe
    encoder: Encoder

    def __init__(self, members: Sequence[Neural], recipe: Recipe) -> None:
        sights = [_sight(member) for member in members]
        encoders: dict[str, Encoder] = {}
        for sight, member in zip(sights, members, strict=True):
            member.encoder = encoders.setdefault(sight, member.encoder)
        self.members, self.recipe, self.tokenizer = list(members), recipe, members[0].tokenizer
        self.encoder = members[0].encoder if len(encoders) == 1 else Joined([*encoders.values()])
        order = [[*encoders].index(sight) for sight in sights]
        self.decoder = MeanDecoder([member.decoder for member in members], order).eval()
        self.decode, self.views = recipe["decode"], recipe["captioner"]["views"]
        self.spelling = members[0].spelling

    @property
    def device(self) -> torch.device:
        return self.members[0].device

    def to(self, device: torch.device | str) -> "Ensemble":
        self.encoder.to(device)
        self.decoder.to(device)
        return self

    def open(self, path: Path) -> Image.Image:
        return open_image(path, at_least=2 * self.encoder.image_size)

    def caption(self, images: Sequence[str | Path | Image.Image], **decode: Any) -> list[Caption]:
        return from_features(self, images, decode)

    def describe(self, features: Seen, **decode: Any) -> list[Caption]:
        changed = speaking.changed(self.decode, decode)
        return speaking.describe(self.decoder, to(features, self.device), self.tokenizer, self.spelling, changed)

    def check_decoding(self) -> None:
        speaking.check_decoding(self.decoder, self.spelling, self.decode)

    @property
    def manner(self) -> str:
        seeds = ",".join(str(member.recipe["train"]["seed"]) for member in self.members)
        return f"mean of {len(self.members)} (seeds {seeds}): {speaking.manner(self.decode, self.views)}"

    @property
    def chosen_by(self) -> str | None:
        return "/".join(dict.fromkeys(str(member.chosen_by) for member in self.members))

    @property
    def parts(self) -> str:
        return "an ensemble of " + "; ".join(member.parts for member in self.members)

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        with saved(self, folder) as path:
            for name, member in zip(self.recipe["captioner"]["members"], self.members, strict=True):
                member.save_pretrained(inside(path, name, "captioner.members"), half=half)
            checkpoint.write_recipe(path, speaking.recipe_of(self))  # last: a folder with a recipe has everything else

    @classmethod
    def read(cls, recipe: Recipe, folder: Path, build: Builder) -> "Ensemble":
        folders = [inside(folder, name, "captioner.members") for name in recipe["captioner"]["members"]]
        check_members(folders)
        return cls([_neural(build.captioner(each), each) for each in folders], recipe)


def check_members(folders: Sequence[Path]) -> None:
    """Raise InputError unless all folders have equal tokenizer files. Checked first, because building is slow."""
    for folder in folders:
        checkpoint.read_recipe(folder)  # raises InputError if the folder has no captioner
    words = [_tokenizer_files(folder) for folder in folders]
    for folder, files in zip(folders, words, strict=True):
        if files != words[0]:
            raise InputError(
                f"{folders[0]} and {folder} have different tokenizers ({_difference(folders[0], folder)}), "
                "so an id is not the same word in both",
                advice=_member_that_fits(folders[0], folder),
            )


def _difference(first: Path, other: Path) -> str:
    """`tokenizer.min_count is 5 and 6`, for each option that differs; else how many words the two files share."""
    ours, theirs = (checkpoint.read_recipe(folder).get("tokenizer", {}) for folder in (first, other))
    names = dict.fromkeys([*ours, *theirs])
    options = [name for name in names if ours.get(name) != theirs.get(name)]
    if options:
        return "; ".join(f"tokenizer.{name} is {ours.get(name)} and {theirs.get(name)}" for name in options)
    return "their options are equal, but they were learned from different captions"


def _member_that_fits(first: Path, other: Path) -> str:
    """The line that trains the other member again, on the data and with the tokenizer of the first."""
    ours, theirs = (checkpoint.read_recipe(folder) for folder in (first, other))
    wanted, has = ours.get("tokenizer", {}), theirs.get("tokenizer", {})
    words = [str(other / checkpoint.RECIPE)]
    words += [f"data.{key}={value}" for key, value in ours.get("data", {}).items() if value is not None]
    words += [f"tokenizer.{key}={_typed(value)}" for key, value in wanted.items() if value != has.get(key)]
    return f"train a member that fits: {shlex.join(['showtell', 'train', *words, '--run', f'{other}-fits'])}"


def _typed(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _tokenizer_files(folder: Path) -> dict[str, bytes]:
    return {path.name: read_bytes(path) for path in sorted(folder.glob("tokenizer.*"))}


def _neural(captioner: Captioner, folder: Path) -> Neural:
    if not isinstance(captioner, Neural):
        raise RecipeError(f"{folder} has captioner {captioner.name!r}; an ensemble takes runs of captioner 'neural'")
    return captioner


def _sight(member: Neural) -> str:
    """A key that is equal for two members if their encoders give equal features for every photo."""
    encoder = member.encoder
    unlike = id(encoder) if encoder.trains else encoder.fingerprint
    return f"{unlike} {member.recipe['encoder']} {member.recipe['regions']}"
