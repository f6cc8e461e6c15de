"""Explanations -> one page: point at a word and see its map, point at a place and see the words that came from it.

The page is one file. Its script is named by digest in the Content-Security-Policy, so the browser runs nothing else.
"""

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from PIL import Image
from torch import Tensor

from showtell import __version__
from showtell.explain.explanation import Explanation
from showtell.explain.words import panels
from showtell.plumbing.files import write_text
from showtell.report.figures import data_uri, picture_uri
from showtell.report.heat import heat, thumbnail
from showtell.report.strip import sentence

MADE_BY = "Showtell explain"  # in every file that `explain` writes
SIDE = 640  # pixels of a photo's longer side
MAP_SIDE = 64  # of a map's; the browser enlarges it smoothly
MOST = 60  # photos on a page, about 6 MB
MEANING = {
    "relevance": "The bright places made the word likelier: the model looked there, and looking there mattered.",
    "attention": "The bright places are where the model looked when it chose the word. They need not matter to it.",
    "occlusion": "The bright places are those without which the word is less likely.",
}


def photo_of(name: str, image: Image.Image, explanation: Explanation) -> dict[str, Any]:
    """What the page shows of one photo."""
    content = {panel.number for panel in panels(explanation.words)}
    words = [
        {"text": text, "content": number in content, **_word(explanation, number, image.size)}
        for number, text in enumerate(explanation.words)
    ]
    share = explanation.deletion.share if explanation.deletion is not None else 0.0
    data = {"words": words, "boxes": _rounded(explanation.boxes), "share": share}
    scored = explanation.deletion is not None and bool(content)
    return {
        "name": name,
        "picture": picture_uri(thumbnail(image, SIDE)),
        "width": image.width,
        "height": image.height,
        "words": words,
        "start": f"Maps: {explanation.manner}. Point at a word or at the photo." if words else "(no words)",
        "scored": sentence(explanation.deletion, sorted(content)) if scored and explanation.deletion else "",
        "data": Markup(json.dumps(data).replace("<", "\\u003c")),
    }


def write_explained(path: Path, model: str, photos: Sequence[dict[str, Any]], how: str, total: int) -> Path:
    """`photos` are the first ones of `total`."""
    script = (files("showtell.report") / "explained.js").read_text("utf-8")
    count = "" if total == len(photos) else f" The page shows the first {len(photos)} of {total:,} photos."
    content = _template().render(
        title="Where the words came from",
        lead=f"Captions by {model}, word by word. {MEANING[how]}{count}",
        how="To see whether a map means anything, the places that it points at are masked, and the model is asked "
        "again how likely the word is. Random places of the same size show what any map would do. A fall of 0.69 "
        "halves the word's probability.",
        photos=photos,
        made_by=MADE_BY,
        version=__version__,
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    write_text(path, content)
    return path


def _word(explanation: Explanation, number: int, size: tuple[int, int]) -> dict[str, Any]:
    weights, deletion = explanation.maps[number], explanation.deletion
    strongest = float(weights.max().clamp(min=1e-12))
    return {
        "map": data_uri(_mask(weights, explanation.boxes, size)),
        "weights": _rounded(weights / strongest),
        "log_prob": 0.0 if explanation.log_probs is None else round(float(explanation.log_probs[number]), 3),
        "fall": None if deletion is None else round(float(deletion.falls[number]), 3),
        "chance": None if deletion is None else round(float(deletion.chance[number]), 3),
    }


def _mask(weights: Tensor, boxes: Tensor, size: tuple[int, int]) -> bytes:
    """A small PNG that is opaque where the map is strong."""
    light = heat(weights, boxes, size)
    alpha = Image.fromarray((light * 255).round().to(torch.uint8).numpy())
    scale = MAP_SIDE / max(size)
    alpha = alpha.resize((max(1, round(size[0] * scale)), max(1, round(size[1] * scale))))
    white = Image.new("L", alpha.size, 255)
    file = io.BytesIO()
    Image.merge("LA", (white, alpha)).save(file, "PNG", optimize=True)
    return file.getvalue()


def _rounded(values: Tensor) -> Any:
    return [round(v, 4) for v in values.tolist()] if values.ndim == 1 else [_rounded(row) for row in values]


@cache
def _template() -> Template:
    loader = PackageLoader("showtell.report", ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(
        "explained.html"
    )
