"""A captioner that others trained, as one of ours: it captions, is scored, compared and saved like any.

Its folder holds a recipe and a card. The weights stay where they are: at a commit of the Hub, or in a local folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image

from showtell import checkpoint
from showtell.captioners import speaking
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Builder, Captioner, photos, saved
from showtell.captioners.huggingface.answers import Answer, answers, begin, first_end, forced
from showtell.captioners.huggingface.batches import in_batches, memory_ended
from showtell.captioners.huggingface.clean import clean
from showtell.captioners.huggingface.inputs import prepare, usual
from showtell.captioners.huggingface.network import Loaded, load_network, refused
from showtell.decode import STRATEGIES
from showtell.decode.options import check as check_ranges
from showtell.encoders.frozen import digest
from showtell.plumbing.errors import InputError, RecipeError, ShowtellError
from showtell.plumbing.hub import HUB, on_one_line, place_of
from showtell.settings.bounds import Count
from showtell.settings.schema import validated
from showtell.settings.text import Recipe

CAN = ("beam", "greedy", "sample")  # strategies that transformers has too


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Section `captioner`: which model, how it is asked, and what is taken away from its answers."""

    model: str
    revision: str | None = None
    prompt: str | None = None
    clean: bool = True
    strip: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    batch_size: Count = 8


class HuggingFace(Captioner):
    """A network of transformers; `log_prob` says how likely it finds any caption of a photo."""

    name, options, sections = "huggingface", Settings, ("decode",)
    needs_data = False
    recipe: Recipe

    def __init__(self, loaded: Loaded, settings: Settings, recipe: Recipe) -> None:
        self.loaded, self.settings, self.recipe = loaded, settings, recipe
        self.decode: Mapping[str, Any] = recipe["decode"]
        self.at_once: int = settings.batch_size  # smaller, once memory had no room for so many

    @property
    def device(self) -> torch.device:
        return torch.device(self.loaded.network.device)

    def to(self, device: torch.device | str) -> "HuggingFace":
        self.loaded.network.to(device)
        return self

    def adopt(self, recipe: Recipe) -> None:
        """The model stays the one that was loaded, by the place and version that were found."""
        super().adopt(recipe)
        loaded = {key: self.recipe["captioner"][key] for key in ("model", "revision", "dtype")}
        self.settings = settings_of(recipe | {"captioner": recipe["captioner"] | loaded})
        self.at_once = self.settings.batch_size

    def caption(self, images: Sequence[str | Path | Image.Image], **decode: Any) -> list[Caption]:
        """`tokens` are the ids of the answer, and `log_prob` is the whole answer's, before it is cleaned."""
        settings = self._decoding(speaking.changed(self.decode, decode))
        opened = photos(images, self.open)

        def answer(some: Sequence[Image.Image]) -> list[Answer]:
            if settings.get("seed") is None:
                return answers(self.loaded, prepare(self.loaded, some, self.settings.prompt), settings)
            return [each for image in some for each in self._seeded(image, settings)]

        return [self._caption(each) for each in self._in_batches(opened, opened, answer)]

    def _seeded(self, image: Image.Image, settings: Mapping[str, Any]) -> list[Answer]:
        """One photo by dice that depend on the seed and the photo, so that neither batch nor order matters."""
        seed = int(digest((settings["seed"], image.size, image.tobytes()))[:8], 16)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            return answers(self.loaded, prepare(self.loaded, [image], self.settings.prompt), settings)

    def log_prob(self, image: str | Path | Image.Image, caption: str | Caption) -> float:
        """The log-probability that the model gives a caption of a photo: the sum of `log_probs`."""
        (log_probs,) = self.log_probs([image], [caption])
        return sum(log_probs)

    def log_probs(
        self, images: Sequence[str | Path | Image.Image], captions: Sequence[str | Caption]
    ) -> list[list[float]]:
        """The log-probability of each id of each caption, eos included, by teacher forcing.

        Of a Caption its `tokens` count, so they are those of the answer. A text is cut into tokens first.
        """
        pairs = list(zip(photos(images, self.open), map(self._ids, captions), strict=True))

        def force(some: Sequence[tuple[Image.Image, list[int]]]) -> list[Answer]:
            inputs = prepare(self.loaded, [image for image, _ in some], self.settings.prompt)
            return forced(self.loaded, inputs, [ids for _, ids in some])

        forced_answers = self._in_batches([image for image, _ in pairs], pairs, force)
        return [answer.log_probs for answer in forced_answers]

    def _ids(self, caption: str | Caption) -> list[int]:
        if isinstance(caption, Caption) and caption.tokens is not None:
            return caption.tokens
        text = caption if isinstance(caption, str) else caption.text
        ids = self.loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [*begin(self.loaded.network), *ids, first_end(self.loaded)]

    def _in_batches(self, images: Sequence[Image.Image], items: Sequence[Any], work: Any) -> list[Any]:
        """`work` on batches of photos of like shape, which need little padding; the results in the order of `items`."""
        order = sorted(range(len(items)), key=lambda at: (images[at].width / images[at].height, images[at].size))
        try:
            with torch.inference_mode():
                done, self.at_once = in_batches([items[at] for at in order], self.at_once, work)
        except ShowtellError:
            raise
        except Exception as error:  # a processor or a network that does not take what it is given
            if memory_ended(error):
                raise
            raise refused(
                self.loaded.name,
                f"cannot caption: {on_one_line(error)}",
                advice="a model may need a text: give captioner.prompt" if self.prompt is None else None,
            ) from error
        return [result for _, result in sorted(zip(order, done, strict=True), key=lambda pair: pair[0])]

    def _caption(self, answer: Answer) -> Caption:
        text = self.loaded.tokenizer.decode(answer.ids, skip_special_tokens=True).strip()
        if self.settings.clean:
            text = clean(text, self.settings.strip, self.settings.stop)
        return Caption(text, answer.ids, sum(answer.log_probs), tuple(map(self._caption, answer.others)))

    @property
    def prompt(self) -> str | None:
        """What the model is asked, or begins with."""
        return usual(self.loaded, self.settings.prompt)

    def check_decoding(self) -> None:
        self._decoding(self.decode)

    def _decoding(self, decode: Mapping[str, Any]) -> dict[str, Any]:
        """The section with all options; RecipeError for what transformers cannot do."""
        name = decode["name"]
        if name not in CAN:
            raise RecipeError(key="decode.name", value=name, taker="captioner 'huggingface' takes", takes=CAN)
        settings = validated("decode", name, STRATEGIES[name], decode).model_dump()
        check_ranges(**settings)
        for option in ("must", "must_not"):
            if settings.pop(option, ()):
                raise RecipeError("does not apply to captioner 'huggingface'", key=f"decode.{option}")
        return {"name": name, **settings}

    @property
    def manner(self) -> str:
        """Model and version, the class that prepares photos, prompt and cleaning: each of them changes scores."""
        used = {
            "model": f"{self.loaded.name}@{self.loaded.version[:12]}",
            "images": type(self.loaded.images).__name__,
            "prompt": repr(self.prompt),
            "clean": self._cleaning(),
            "dtype": str(self.loaded.network.dtype).removeprefix("torch."),
        }
        settings = ",".join(f"{key}={value}" for key, value in used.items())
        return f"huggingface({settings}): {speaking.manner(_without_empty(self.decode), 'none')}"

    def _cleaning(self) -> str:
        if not self.settings.clean:
            return "no"
        more = [f"{word}={list(getattr(self.settings, word))}" for word in ("strip", "stop")]
        return "+".join(["yes", *(each for each in more if not each.endswith("=[]"))])

    @property
    def fingerprint(self) -> str:
        return digest((self.name, self.manner, self.loaded.version))

    @property
    def parts(self) -> str:
        return f"`{self.loaded.name}` of transformers, version {self.loaded.version}"

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        """Recipe and card. The weights stay with their source."""
        section = {"name": self.name, **asdict(self.settings)}
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in section.items()}
        with saved(self, folder) as path:
            checkpoint.write_recipe(path, self.recipe | {"captioner": plain, "decode": dict(self.decode)})

    def push_to_hub(self, repo_id: str, *, private: bool | None = None, token: str | None = None) -> str:
        if not self.settings.model.startswith(HUB):
            wrong = f"is {self.settings.model!r}, a folder of this machine, so others could not load it"
            raise InputError(wrong, key="captioner.model", advice="upload its files first: hf upload OWNER/NAME FOLDER")
        return super().push_to_hub(repo_id, private=private, token=token)

    @classmethod
    def read(cls, recipe: Recipe, folder: Path, build: Builder) -> "HuggingFace":
        return cls.open_model(recipe)

    @classmethod
    def open_model(cls, recipe: Recipe) -> "HuggingFace":
        """From a checked recipe; the captioner's own says where the model lies and which version it has."""
        section = recipe["captioner"]
        try:
            place = place_of(section["model"])
        except InputError as error:
            error.advice = f"{error.advice}; if it was moved, give captioner.model=FOLDER"
            raise
        loaded = load_network(place, section["revision"], section["dtype"])
        if isinstance(place, Path):
            fixed = {"model": str(place.resolve()), "revision": None}
        else:
            fixed = {"model": f"{HUB}{place}", "revision": loaded.version}
        recipe = recipe | {"captioner": section | fixed}
        return cls(loaded, settings_of(recipe), recipe)


def settings_of(recipe: Recipe) -> Settings:
    """The checked section `captioner`, whose lists are tuples again."""
    values: dict[str, Any] = {}
    for key, value in recipe["captioner"].items():
        if key != "name":
            values[key] = tuple(value) if isinstance(value, list) else value
    return Settings(**values)


def _without_empty(decode: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in decode.items() if value is not None and value != [] and value != ()}
