"""Photos with captions -> the Oslo course's folder: one pickle a photo, the vocabulary, the photos themselves."""

import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from showtell.cache.source import Source, open_source
from showtell.data.photo_pickles import FOLDERS, PHOTOS
from showtell.data.record import Record
from showtell.encoders.encoder import Encoder
from showtell.features import first
from showtell.plumbing.console import Plain
from showtell.plumbing.progress import Bar
from showtell.tokenizers.listed import count_words, split

STUBS = {"detectron2_lim10maxfeatures": "pooled", "detectron2_lim10features": "tokens"}


def write_photo_pickles(
    root: Path, records: Sequence[Record], encoder: Encoder, width: int | None = 2048, console: Console | None = None
) -> int:
    """Write photos of train and val. Returns how many.

    The encoder gives regions, for example ten windows; their pooled vector goes into the folder of tasks 1 to 3, the
    regions into that of task 4. Vectors get zeros at their end up to `width`, which the course's settings fix.
    """
    captioned = [record for record in records if record.references and record.split in FOLDERS]
    vocabulary = count_words([text for record in captioned for text in record.references])
    source = open_source(captioned, encoder, console=console)
    write_vocabulary(root, vocabulary, [text for record in captioned for text in record.references])
    numbers = {word: number for number, word in enumerate(vocabulary)}
    for record in source.records:
        for stub in STUBS:
            (root / f"{FOLDERS[record.split]}{stub}").mkdir(parents=True, exist_ok=True)
        (root / PHOTOS[record.split]).mkdir(parents=True, exist_ok=True)
    with Bar(console or Plain(stderr=True, quiet=True), "writing", len(source), "photo") as bar:
        for row in range(len(source)):
            _write(root, source, row, numbers, width)
            bar.advance()
    return len(source)


def _write(root: Path, source: Source, row: int, numbers: dict[str, int], width: int | None) -> None:
    record, seen = source.records[row], first(source([row]))
    shutil.copyfile(record.path, root / PHOTOS[record.split] / record.path.name)
    said = [split(text) for text in record.references]
    content: dict[str, Any] = {"imgPath": record.path.name, "original_captions": list(record.references)}
    content["captions"] = [["ssss", *words, "eeee"] for words in said]
    content["captionsAsTokens"] = [[1, *(numbers[word] for word in words), 0] for words in said]
    for stub, part in STUBS.items():
        vectors = getattr(seen, part)[0].float().cpu().numpy()
        if width is not None:
            vectors = np.pad(vectors, [(0, 0)] * (vectors.ndim - 1) + [(0, max(0, width - vectors.shape[-1]))])
        with (root / f"{FOLDERS[record.split]}{stub}" / f"{record.path.stem}.pickle").open("wb") as file:
            pickle.dump(content | {"cnn_features": vectors}, file, protocol=4)


def write_vocabulary(root: Path, vocabulary: Sequence[str], captions: Sequence[str]) -> None:
    """The course's vocabulary.pickle: the same keys, numpy's integers as numbers."""
    tokens = np.arange(len(vocabulary))
    said = [split(text) for text in captions]
    places = {word: number for number, word in enumerate(vocabulary)}
    counter = np.bincount([places[word] for words in said for word in words], minlength=len(vocabulary))
    content = {
        "wordCounter": counter,
        "sentenceLen": np.array([len(words) for words in said]),
        "vocabulary": list(vocabulary),
        "tokens": tokens,
        "wordToToken": dict(zip(vocabulary, tokens, strict=True)),
        "TokenToWord": dict(zip(tokens, vocabulary, strict=True)),
    }
    (root / "vocabulary").mkdir(parents=True, exist_ok=True)
    with (root / "vocabulary" / "vocabulary.pickle").open("wb") as file:
        pickle.dump(content, file, protocol=4)
