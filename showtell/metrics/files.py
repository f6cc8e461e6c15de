"""JSON files that people score: captions as `{image_id: caption}` or COCO results, references in three usual forms."""

import json
from pathlib import Path
from typing import Any

from showtell.errors import InputError


def read_candidates(path: Path) -> dict[str, Any]:
    """`{image_id: caption}`, or COCO's `[{"image_id": .., "caption": ..}]`; ids become strings."""
    content = _read(path)
    if isinstance(content, dict):
        return content
    if isinstance(content, list) and all(
        isinstance(row, dict) and {"image_id", "caption"} <= set(row) for row in content
    ):
        return _unique(path, [(str(row["image_id"]), row["caption"]) for row in content])
    raise InputError(f'{path} holds no captions; it takes {{image_id: caption}} or [{{"image_id": .., "caption": ..}}]')


def read_references(path: Path) -> dict[str, list[Any]]:
    """`{image_id: [captions]}`, COCO's annotations (id: `str(image_id)`) or Karpathy's JSON (id: the file's name)."""
    content = _read(path)
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        found: dict[str, list[Any]] = {}
        for row in content["annotations"]:
            found.setdefault(str(row["image_id"]), []).append(row["caption"])
        return found
    if isinstance(content, dict) and isinstance(content.get("images"), list):
        pairs = [(image["filename"], [entry["raw"] for entry in image["sentences"]]) for image in content["images"]]
        return _unique(path, pairs)
    if isinstance(content, dict) and all(isinstance(captions, list) for captions in content.values()):
        return content
    raise InputError(f"{path} holds no references; it takes {{image_id: [captions]}}, COCO or Karpathy JSON")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _unique(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(image_id for i, (image_id, _) in enumerate(pairs) if image_id in dict(pairs[:i]))
        raise InputError(f"{path} names image {twice} twice; every image takes one entry")
    return found
