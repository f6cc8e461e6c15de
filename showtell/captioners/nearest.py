"""A frozen encoder + the training photos' vectors and captions: reuses a caption of the most similar photos.

Its folder has `model.safetensors` with the vectors, and `neighbours.json` with the captions and k.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from showtell import checkpoint
from showtell.cache import Source
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Builder, Captioner, from_features, saved
from showtell.captioners.neighbours import Neighbours
from showtell.data.images import open_image
from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.features import Seen, first
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import write_json
from showtell.plumbing.reading import TEXT, read_json
from showtell.settings.text import Recipe

NEIGHBOURS = "neighbours.json"
BATCH_SIZE = 64  # images


class Nearest(Captioner):
    """The baseline without training (Devlin et al. 2015) that a trained captioner should beat."""

    name, options = "nearest", Neighbours
    sections = ("encoder", "regions")
    recipe: Recipe
    encoder: Encoder

    def __init__(self, encoder: Encoder, neighbours: Neighbours, recipe: Recipe) -> None:
        if encoder.trains:
            name = recipe["encoder"]["name"]
            advice = "set encoder=lite or encoder=timm, with encoder.trainable=none"
            takes = "a frozen encoder with captioner 'nearest', which trains nothing"
            raise RecipeError(f"is {name!r}, which trains", key="encoder", value=name, takes=takes, advice=advice)
        self.encoder, self.neighbours, self.recipe = encoder, neighbours, recipe

    def fit(self, source: Source, console: Console | None = None) -> "Nearest":
        """Keep the vectors and captions of a source's photos. If the recipe gives no k, choose it."""
        rows = range(len(source))
        vectors = [first(source(list(rows[i : i + BATCH_SIZE]))).pooled.cpu() for i in range(0, len(rows), BATCH_SIZE)]
        captions = [record.references for record in source.records]
        self.neighbours.fit(torch.cat(vectors), captions, self.recipe["train"]["seed"], console)
        return self

    @property
    def device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    def to(self, device: torch.device | str) -> "Nearest":
        self.encoder.to(device)
        return self

    def open(self, path: Path) -> Image.Image:
        return open_image(path, at_least=2 * self.encoder.image_size)

    def caption(self, images: Sequence[str | Path | Image.Image], **decode: Any) -> list[Caption]:
        return from_features(self, images, decode)

    def describe(self, features: Seen, **decode: Any) -> list[Caption]:
        """For each image, a caption that somebody wrote for a similar photo; it has no ids."""
        if decode:
            name, value = next(iter(decode.items()))
            wrong = "does not apply to captioner 'nearest', which only reuses captions"
            raise RecipeError(wrong, key=f"decode.{name}", value=value, advice="remove it")
        return [Caption(text) for text in self.neighbours.describe(first(features).pooled)]

    @property
    def manner(self) -> str:
        return f"nearest(k={self.neighbours.k},scale={self.neighbours.scale})"

    @property
    def fingerprint(self) -> str:
        tensors, rest = self.neighbours.state()
        return digest((super().fingerprint, rest), tensors)

    @property
    def parts(self) -> str:
        return f"captions of the {self.neighbours.k} nearest photos by the `{self.recipe['encoder']['name']}` encoder"

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        with saved(self, folder) as path:
            self.save_files(path)

    def save_files(self, folder: Path) -> None:
        """Write all files except the card. The model is last, so a folder with a model is complete."""
        tensors, rest = self.neighbours.state()
        checkpoint.write_recipe(folder, self.recipe)
        write_json(folder / NEIGHBOURS, rest)
        checkpoint.write_tensors(folder / checkpoint.MODEL, checkpoint.weights(self.encoder) | tensors)

    @classmethod
    def read(cls, recipe: Recipe, folder: Path, build: Builder) -> "Nearest":
        captioner = cls(build("encoder"), build("captioner"), recipe)
        path = folder / checkpoint.MODEL
        tensors = checkpoint.read_tensors(path)
        own = {name: tensors.pop(name, None) for name in ("vectors", "centre", "deviation")}
        checkpoint.restore(captioner.encoder, None, tensors, str(path))
        rest = _read_rest(folder / NEIGHBOURS)
        photos, wide = len(rest["captions"]), captioner.encoder.dim
        for name, shape in {"vectors": (photos, wide), "centre": (wide,), "deviation": (wide,)}.items():
            have = own[name]
            if have is None or have.shape != shape:
                wrong = f"has shape {tuple(have.shape)}, not {shape}" if have is not None else "is missing"
                raise InputError(f"{path} does not fit {NEIGHBOURS} and its recipe: {name} {wrong}")
            if not have.is_floating_point():
                raise InputError(f"{path} is damaged: {name} has type {have.dtype}; it takes floating-point numbers")
            if name == "deviation" and not bool((have > 0).all()):
                raise InputError(f"{path} is damaged: all numbers of {name} must be above 0")
        captioner.neighbours.restore({name: tensor for name, tensor in own.items() if isinstance(tensor, Tensor)}, rest)
        captioner.encoder.eval()
        return captioner


def _read_rest(path: Path) -> dict[str, Any]:
    """Read what `Neighbours.state` gave. Raises InputError if the file has something else."""
    rest = read_json(path, TEXT)
    captions, tried, k = (rest.get(name) if isinstance(rest, dict) else None for name in ("captions", "tried", "k"))
    if not isinstance(captions, list) or not all(map(_are_texts, captions)):
        raise InputError(f"{path} is damaged: captions must be a list of texts for each photo")
    if not isinstance(tried, dict) or not all(_is_score(*entry) for entry in tried.items()):
        raise InputError(f"{path} is damaged: tried must give a score for each k")
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= len(captions):
        raise InputError(f"{path} is damaged: k is {k!r}; it takes 1 to {len(captions)}, the number of photos")
    return {"captions": captions, "tried": tried, "k": k}


def _is_score(k: str, score: Any) -> bool:
    return k.isdecimal() and isinstance(score, int | float) and math.isfinite(score)


def _are_texts(texts: Any) -> bool:
    return isinstance(texts, list) and bool(texts) and all(isinstance(text, str) for text in texts)
