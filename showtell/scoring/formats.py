"""Files -> captions (one for each image) and references (several). Both take the forms that Showtell writes and reads.

- JSON: `{image_id: caption}`, `{image_id: [captions]}`, COCO's results and annotations, Karpathy's.
- JSONL: a line such as `{"image_id": "a.jpg", "caption": "a dog"}` for each caption.
- Tables (.csv, .tsv, .txt, .token): a row for each caption, as in Flickr8k's `captions.txt`.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import TEXT, parse_json, read_text

if TYPE_CHECKING:
    from showtell.data.clean import Row

LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv", ".txt", ".token")
TAKEN = 'lines such as {"image_id": "a.jpg", "caption": "a dog"}, or rows such as a.jpg,a dog'
TRAINED_ON = ("train", "restval")  # models train on both of these splits in Karpathy's COCO


def read_candidates(path: Path) -> dict[str, Any]:
    """`{image_id: caption}`, or COCO's `[{"image_id": .., "caption": ..}]`; ids become strings."""
    content = _read(path)
    if isinstance(content, dict) and content and not isinstance(content.get("annotations"), list):
        return {name: _only(path, name, caption) for name, caption in content.items()}
    if _are(content, "image_id", "caption"):
        return _unique(path, [(str(row["image_id"]), row["caption"]) for row in content])
    raise InputError(f'{path} holds no captions; it takes {{image_id: caption}} or [{{"image_id": .., "caption": ..}}]')


def _only(path: Path, name: str, caption: Any) -> Any:
    """The caption of an image, also if it is the only one of a list."""
    if not isinstance(caption, list) or not caption or not all(isinstance(text, str) for text in caption):
        return caption
    if len(caption) > 1:
        advice = "caption without decode.num_return_sequences, or keep the best one"
        raise InputError(f"has {len(caption)} captions of {name}, and one is scored", key=str(path), advice=advice)
    return caption[0]


def read_references(path: Path, names: Collection[str] = ()) -> dict[str, list[Any]]:
    """`{image_id: [captions]}`, COCO's annotations or Karpathy's JSON.

    COCO images may be named by id (`"42"`) or by file name, Karpathy's by file name or by COCO id. The naming that
    matches more of the `names` of the candidates is used; the first of these if both match equally.
    """
    return _references(path, _read(path), names)


def read_training(path: Path) -> list[str]:
    """All captions of a file of references. If the file has splits, as Karpathy's, only those of `TRAINED_ON`."""
    content = _read(path)
    known = _texts(path, _references(path, content))
    if _are(content, "image_id", "caption", "split"):
        rows = [row for row in content or () if row["split"] in TRAINED_ON]
        known = _texts(path, _references(path, rows))
    images = content.get("images") if isinstance(content, dict) else None
    if _are(images, "filename", "split"):
        learnt = {image["filename"] for image in images or () if image["split"] in TRAINED_ON}
        known = {name: captions for name, captions in known.items() if name in learnt}
        if not known:
            raise InputError(f"{path} has no training captions: no image has the split {' or '.join(TRAINED_ON)}")
    return [caption for captions in known.values() for caption in captions]


def read_frequencies(path: Path) -> list[list[str]]:
    """The captions of each image of a file of references, for document frequencies."""
    return list(_texts(path, _references(path, _read(path))).values())


def _texts(path: Path, known: dict[str, list[Any]]) -> dict[str, list[str]]:
    for name, captions in known.items():
        for caption in captions:
            if not isinstance(caption, str):
                raise InputError(f"{path}: a caption of {name} is {caption!r}, not text; write a string")
    return known


def _references(path: Path, content: Any, names: Collection[str] = ()) -> dict[str, list[Any]]:
    if _are(content, "image_id", "caption"):
        return _named(names, *_coco(content, None))
    content = content if isinstance(content, dict) else {}
    rows: Any = content.get("annotations")
    images: Any = content.get("images")
    if _are(rows, "image_id", "caption"):
        return _named(names, *_coco(rows, images))
    if _are(images, "filename", "sentences") and all(_are(image["sentences"], "raw") for image in images):
        return _named(names, *_karpathy(path, images))
    if content and rows is None and images is None and all(isinstance(texts, list) for texts in content.values()):
        return content
    raise InputError(f"{path} holds no references; it takes {{image_id: [captions]}}, COCO or Karpathy JSON")


def _coco(rows: Any, images: Any) -> Iterator[dict[str, list[Any]]]:
    by_id: dict[str, list[Any]] = {}
    for row in rows:
        by_id.setdefault(str(row["image_id"]), []).append(row["caption"])
    yield by_id
    if _are(images, "id", "file_name"):
        names = {str(image["id"]): str(image["file_name"]) for image in images}
        if by_id.keys() <= names.keys() and len({names[key] for key in by_id}) == len(by_id):
            yield {names[key]: captions for key, captions in by_id.items()}


def _karpathy(path: Path, images: Any) -> Iterator[dict[str, list[Any]]]:
    captions = [[entry["raw"] for entry in image["sentences"]] for image in images]
    yield _unique(path, list(zip((image["filename"] for image in images), captions, strict=True)))
    if _are(images, "cocoid"):
        by_id = dict(zip((str(image["cocoid"]) for image in images), captions, strict=True))
        if len(by_id) == len(images):
            yield by_id


def _named(names: Collection[str], *namings: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return max(namings, key=lambda naming: sum(name in naming for name in names))


def _are(rows: Any, *keys: str) -> bool:
    """Whether this is a list of at least one object, and all objects have these keys."""
    return isinstance(rows, list) and bool(rows) and all(isinstance(r, dict) and set(keys) <= set(r) for r in rows)


def _read(path: Path) -> Any:
    """The content of a JSON file; of JSONL and of a table, its rows with `image_id` and `caption`, as COCO has them."""
    if path.suffix.lower() in (*LINES, *TABLES):
        return _rows(path)
    text = read_text(path, TEXT)
    try:
        return parse_json(text, lambda pairs: _unique(path, pairs))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from None


def _rows(path: Path) -> list[dict[str, Any]]:
    from showtell.data.flickr import read_rows  # a JSON needs no reader of photos

    if not path.is_file():
        raise InputError(f"{path} does not exist" if not path.exists() else f"{path} is not a file")
    found: list[dict[str, Any]] = []
    for row in _lines(path) if path.suffix.lower() in LINES else read_rows(path):
        name = row.image_id if isinstance(row.image_id, str | int) else None
        if name is None or name == "":
            raise InputError(f"{row.where} names no image", key=str(path), takes=TAKEN)
        split = {} if row.split is None else {"split": row.split}
        found += ({"image_id": str(name), "caption": caption, **split} for caption in row.captions)
    if not found:
        raise InputError("holds no captions", key=str(path), takes=TAKEN)
    return found


def _lines(path: Path) -> Iterator["Row"]:
    """The rows of a JSONL file."""
    from showtell.data.folder import read_lines
    from showtell.data.record import LeftOut
    from showtell.data.text import read_text

    wrong: list[LeftOut] = []
    yield from read_lines(path, read_text(path)[0], wrong)
    if wrong:
        raise InputError(f"{wrong[0].name} is {wrong[0].reason}", key=str(path), takes=TAKEN)


def _unique(path: Path, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Pairs as a dict. Raises InputError for a key that comes twice; the JSON parser would silently keep the last."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise InputError(f"{path} has {twice!r} twice; give each image only one entry")
    return entries
