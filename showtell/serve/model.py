"""A loaded captioner behind a name, and a batch of photos -> their captions as plain data."""

import json
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from PIL import Image

from showtell import __version__
from showtell.captioners.captioner import Captioner
from showtell.decode import STRATEGIES
from showtell.explain.spoken import Spoken, speak
from showtell.plumbing.errors import InputError
from showtell.serve.asked import driven, width
from showtell.serve.limits import CAPTIONS, Refused
from showtell.settings.schema import schema_of


class InVain(Exception):
    """Ends a batch whose clients have all left, or whose time is over."""


class Model:
    """`work` is what the batcher runs. Settings are one line of JSON, so that equal ones are equal keys."""

    def __init__(self, name: str, captioner: Captioner) -> None:
        if (captioner.recipe or {}).get("regions", {}).get("name") == "precomputed":
            raise InputError("reads precomputed features, so it knows only the photos of its file", key=name)
        self.name, self.captioner, self.made = name, captioner, int(time.time())
        self.driven = lru_cache(128)(self._driven)
        self.is_in_vain: Callable[[], bool] = lambda: False
        decoder: Any = getattr(captioner, "decoder", None)
        for part in getattr(decoder, "parts", [decoder] if decoder is not None else []):
            part.register_forward_pre_hook(self._stop_in_vain)

    @property
    def at_least(self) -> int | None:
        """How large a photo is decoded, as `captioner.open` does."""
        return 2 * self.captioner.encoder.image_size if self.captioner.encoder is not None else None

    def settings(self, changes: Mapping[str, Any], maps: bool, photos: int = 1) -> str:
        """A key for the batcher. Raises Refused if the captioner cannot decode so, or not so many photos at once."""
        key = json.dumps([changes, maps], sort_keys=True)
        at_once = width(self.driven(key))
        if changes and photos * at_once > CAPTIONS:
            asked = f"{photos} x {at_once} captions at once (photos x beams x ids of must)"
            raise Refused(422, f"{asked}; at most {CAPTIONS} are taken; send fewer photos, or take fewer beams")
        return key

    def signature(self, key: str) -> str:
        """Everything that the captions depend on, in one line."""
        return f"{self.name}|{self.driven(key).manner}|showtell {__version__}"

    def work(self, key: Hashable, photos: Sequence[Image.Image]) -> list[dict[str, Any]]:
        captioner, maps = self.driven(str(key)), json.loads(str(key))[1]
        most = min(captioner.at_once or len(photos), max(1, CAPTIONS // width(captioner)))
        spoken: list[Spoken] = []
        for start in range(0, len(photos), most):
            self._stop_in_vain()
            spoken += speak(captioner, photos[start : start + most], maps)
        return [as_data(each) for each in spoken]

    def warm(self) -> None:
        """Caption one grey photo, so that the first client does not wait for what is set up once."""
        self.captioner.caption([Image.new("RGB", (64, 64), "grey")])

    def about(self) -> dict[str, Any]:
        """What the page and clients need to know, in the form of OpenAI's list of models, with more fields."""
        decoder = getattr(self.captioner, "decoder", None)
        strategies = {name: _options(name) for name in STRATEGIES} if self.captioner.decode else {}
        return {
            "id": self.name,
            "object": "model",
            "created": self.made,
            "owned_by": "showtell",
            "manner": self.captioner.manner,
            "maps": bool(decoder is not None and decoder.attends),
            "decode": dict(self.captioner.decode),
            "strategies": strategies,
        }

    def _stop_in_vain(self, *_: Any) -> None:
        """Decoding calls this before each word: others should not wait for captions that nobody reads."""
        if self.is_in_vain():
            raise InVain("nobody waits for these photos any more")

    def _driven(self, key: str) -> Captioner:
        return driven(self.captioner, json.loads(key)[0])


def _options(strategy: str) -> dict[str, Any]:
    """The options of a strategy with their defaults."""
    return {name: field.default for name, field in schema_of(STRATEGIES[strategy]).model_fields.items()}


def as_data(spoken: Spoken) -> dict[str, Any]:
    """One photo's caption as the interface returns it. Numbers are rounded to 4 digits after the point."""
    words = []
    for word in spoken.words:
        entry: dict[str, Any] = {"word": word.text, "log_prob": round(word.log_prob, 4)}
        if word.map is not None:
            entry["map"] = [round(weight, 4) for weight in word.map]
        words.append(entry)
    data: dict[str, Any] = {
        "text": spoken.caption.text,
        "log_prob": _rounded(spoken.caption.log_prob),
        "alternatives": [{"text": other.text, "log_prob": _rounded(other.log_prob)} for other in spoken.others],
        "words": words,
    }
    if spoken.boxes is not None:
        data["boxes"] = [[round(side, 4) for side in box] for box in spoken.boxes]
    return data


def _rounded(log_prob: float | None) -> float | None:
    return None if log_prob is None else round(log_prob, 4)
