"""JSON files that people score: captions as `{image_id: caption}` or COCO results, references in three usual forms."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from showtell.errors import InputError


def read_candidates(path: Path) -> dict[str, Any]:
    """`{image_id: caption}`, or COCO's `[{"image_id": .., "caption": ..}]`; ids become strings."""
    content = _read(path)
    if isinstance(content, dict) and content and not isinstance(content.get("annotations"), list):
        return content
    if _are(content, "image_id", "caption"):
        return _unique(path, [(str(row["image_id"]), row["caption"]) for row in content])
    raise InputError(f'{path} holds no captions; it takes {{image_id: caption}} or [{{"image_id": .., "caption": ..}}]')


def read_references(path: Path) -> dict[str, list[Any]]:
    """`{image_id: [captions]}`, COCO's annotations (id: `str(image_id)`) or Karpathy's JSON (id: the file's name)."""
    content = _read(path)
    content = content if isinstance(content, dict) else {}
    rows: Any = content.get("annotations")
    images: Any = content.get("images")
    if _are(rows, "image_id", "caption"):
        found: dict[str, list[Any]] = {}
        for row in rows:
            found.setdefault(str(row["image_id"]), []).append(row["caption"])
        return found
    if _are(images, "filename", "sentences") and all(_are(image["sentences"], "raw") for image in images):
        return _unique(path, [(i["filename"], [entry["raw"] for entry in i["sentences"]]) for i in images])
    if content and rows is None and images is None and all(isinstance(texts, list) for texts in content.values()):
        return content
    raise InputError(f"{path} holds no references; it takes {{image_id: [captions]}}, COCO or Karpathy JSON")


def _are(rows: Any, *keys: str) -> bool:
    """Whether this is a list, with something in it, of objects that have these keys."""
    return isinstance(rows, list) and bool(rows) and all(isinstance(r, dict) and set(keys) <= set(r) for r in rows)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"), object_pairs_hook=lambda pairs: _unique(path, pairs))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _unique(path: Path, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Pairs as a dict; JSON itself would keep the last of two entries without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise InputError(f"{path} has {twice!r} twice; every image takes one entry")
    return found
