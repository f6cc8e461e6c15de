"""Photos in HDF5 with captions as ids in JSON, as `create_input_files` of Lyon's course makes them: read and written.

`BASE` is `flickr8k_5_cap_per_img_5_min_word_freq`. WORDMAP_BASE.json numbers the words. For each of TRAIN, VAL and
TEST, SPLIT_IMAGES_BASE.hdf5 has N photos of 256 x 256, SPLIT_CAPTIONS_BASE.json 5N lists of ids, and
SPLIT_CAPLENS_BASE.json their lengths. Captions become texts again; the tokenizer `word_map` with the same WORDMAP
gives the same ids.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console

from showtell.data.images import open_image
from showtell.data.inside import check_images
from showtell.data.photos import existing_folder
from showtell.data.record import Record, Records
from showtell.data.text import read_json
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import check_folder, whole
from showtell.plumbing.hdf5 import h5py, open_hdf5
from showtell.plumbing.progress import Bar

SPLITS = {"TRAIN": "train", "VAL": "val", "TEST": "test"}
OF_KARPATHY = {"train": "TRAIN", "restval": "TRAIN", "val": "VAL", "test": "TEST"}
SIDE, SEED = 256, 123
PAD, UNK, START, END = "<pad>", "<unk>", "<start>", "<end>"  # of a WORDMAP
Chosen = tuple[Path, list[list[str]]]  # a photo and the words of its captions


def hdf5(*, root: Path, base: str | None = None) -> Records:
    """The photos and captions of all splits. `base` is the common part of the names; null finds the only WORDMAP."""
    root = existing_folder(root)
    base = base or _only_base(root)
    ids = _read(root / f"WORDMAP_{base}.json", dict)
    words = {number: word for word, number in ids.items()}
    records: list[Record] = []
    for split, name in SPLITS.items():
        if (root / f"{split}_IMAGES_{base}.hdf5").is_file():
            records += _records(root, base, split, name, words)
    if not records:
        raise InputError(f"{root}: it has no TRAIN_IMAGES_{base}.hdf5; make it with create_input_files")
    return Records(records, form=f"hdf5: {base}")


def _only_base(root: Path) -> str:
    maps = sorted(root.glob("WORDMAP_*.json"))
    if len(maps) != 1:
        names = ", ".join(path.name for path in maps) or "none"
        advice = "choose with data.base=NAME, the part after WORDMAP_"
        raise InputError(f"{root}: it must have one WORDMAP_*.json, but has {names}", advice=advice)
    return maps[0].stem.removeprefix("WORDMAP_")


def _read(path: Path, kind: type) -> Any:
    if not path.is_file():
        raise InputError("does not exist", key=str(path), advice="make it with create_input_files")
    content, _ = read_json(path)
    if not isinstance(content, kind):
        raise InputError(f"must hold a {kind.__name__}", key=str(path))
    return content


def _records(root: Path, base: str, split: str, name: str, words: Mapping[int, str]) -> Iterator[Record]:
    photos = root / f"{split}_IMAGES_{base}.hdf5"
    captions = _read(root / f"{split}_CAPTIONS_{base}.json", list)
    lengths = _read(root / f"{split}_CAPLENS_{base}.json", list)
    try:
        with open_hdf5(photos) as file:
            check_images(file)
            count, each = len(file["images"]), int(file.attrs["captions_per_image"])
    except InputError:
        raise
    except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"is damaged: {error}", key=str(photos)) from None
    if len(captions) != count * each or len(lengths) != len(captions):
        wrong = f"has {len(captions):,} captions and {len(lengths):,} lengths for {count:,} photos with {each} each"
        raise InputError(wrong, key=str(root / f"{split}_CAPTIONS_{base}.json"), advice="make the files again")
    for image in range(count):
        rows = range(image * each, (image + 1) * each)
        texts = tuple(" ".join(words[i] for i in captions[row][1 : lengths[row] - 1]) for row in rows)
        yield Record(f"{split}/{image}", photos / str(image), texts, name)


def create_input_files(
    dataset: str,
    karpathy_json_path: str | Path,
    image_folder: str | Path,
    captions_per_image: int,
    min_word_freq: int,
    output_folder: str | Path,
    max_len: int = 100,
    console: Console | None = None,
) -> str:
    """Write the files of the module's docstring from a Karpathy JSON and its photos. Returns BASE.

    Words are counted over all splits. A word must occur more than `min_word_freq` times to get an id. Captions of more
    than `max_len` words are skipped. A photo with fewer captions repeats some at random; one with more gives a sample.
    """
    entries = _read(Path(karpathy_json_path), dict).get("images", [])
    output, photos = Path(output_folder), existing_folder(image_folder, "image_folder")
    if not entries:
        raise InputError("has no list 'images', so it is not in Karpathy's format", key=str(karpathy_json_path))
    check_folder(output, "output_folder")
    output.mkdir(parents=True, exist_ok=True)
    base = f"{dataset}_{captions_per_image}_cap_per_img_{min_word_freq}_min_word_freq"
    ids = word_map((words for entry in entries for words in _words(entry)), min_word_freq)
    _write(output / f"WORDMAP_{base}.json", ids)
    chance = random.Random(SEED)
    for split in SPLITS:
        chosen = list(_chosen(entries, split, photos, dataset, max_len))
        drawn = [_draw(captions, captions_per_image, chance) for _, captions in chosen]
        _write_photos(output / f"{split}_IMAGES_{base}.hdf5", [path for path, _ in chosen], captions_per_image, console)
        captions = [caption for image in drawn for caption in image]
        _write(output / f"{split}_CAPTIONS_{base}.json", [_ids(words, ids, max_len) for words in captions])
        _write(output / f"{split}_CAPLENS_{base}.json", [len(words) + 2 for words in captions])
    return base


def word_map(captions: Iterator[Sequence[str]], min_word_freq: int) -> dict[str, int]:
    """Words that occur more than `min_word_freq` times, in order of their first occurrence, then the special ones.

    >>> word_map(iter([["a", "dog"], ["a", "cat"]]), 1)
    {'a': 1, '<unk>': 2, '<start>': 3, '<end>': 4, '<pad>': 0}
    """
    counts = Counter(word for words in captions for word in words)
    kept = [word for word, count in counts.items() if count > min_word_freq]
    return {word: number for number, word in enumerate([*kept, UNK, START, END], start=1)} | {PAD: 0}


def _words(entry: Any) -> list[list[str]]:
    return [sentence["tokens"] for sentence in entry["sentences"]]


def _chosen(entries: Sequence[Any], split: str, photos: Path, dataset: str, max_len: int) -> Iterator[Chosen]:
    for entry in entries:
        captions = [words for words in _words(entry) if len(words) <= max_len]
        if captions and OF_KARPATHY.get(entry["split"]) == split:
            folder = photos / entry.get("filepath", "") if dataset == "coco" else photos
            yield folder / entry["filename"], captions


def _draw(captions: list[list[str]], count: int, chance: random.Random) -> list[list[str]]:
    if len(captions) < count:
        return captions + [chance.choice(captions) for _ in range(count - len(captions))]
    return chance.sample(captions, k=count)


def _ids(words: Sequence[str], ids: Mapping[str, int], max_len: int) -> list[int]:
    numbers = [ids.get(word, ids[UNK]) for word in words]
    return [ids[START], *numbers, ids[END]] + [ids[PAD]] * (max_len - len(words))


def _write_photos(path: Path, photos: Sequence[Path], captions_per_image: int, console: Console | None) -> None:
    console = console or Plain(stderr=True)
    with (
        whole(path) as part,
        h5py().File(part, "w", locking=False) as file,  # `whole` has the file's lock
        Bar(console, path.name[:5], len(photos), "photo") as bar,
    ):
        file.attrs["captions_per_image"] = captions_per_image
        images = file.create_dataset("images", (len(photos), 3, SIDE, SIDE), dtype="uint8")
        for row, photo in enumerate(photos):
            image = open_image(photo).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            images[row] = np.asarray(image).transpose(2, 0, 1)
            bar.advance()


def _write(path: Path, content: object) -> None:
    with whole(path) as part:
        part.write_text(json.dumps(content), "utf-8")
