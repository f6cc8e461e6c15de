"""`album.json`: what made a folder of captions. Other settings are refused: a folder never mixes two captioners."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import clear, write_json
from showtell.plumbing.reading import read_json
from showtell.predict.album.plan import INDEX, LINES

FILE = "album.json"
OURS = (FILE, LINES, INDEX, "part-*.jsonl", "part-*.parquet", "part-*.partial")
WORDS = {  # what a user calls each setting, in the order in which they are compared
    "photos": "other photos",
    "photo_column": "another --photo-column",
    "model": "another model",
    "decoding": "another decoding",
    "made_by": "other weights or settings of the model",
    "format": "another --format",
    "wording": "other --prepend, --append or --max-characters",
}


def check_free(folder: Path) -> None:
    """Raise InputError if the folder holds something else than captions of an album."""
    if not folder.exists() or (folder / FILE).is_file():
        return
    foreign = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    if foreign:
        wrong = f"holds something else ({sorted(foreign)[0]}), and no {FILE}"
        raise InputError(wrong, key=f"--out {folder}", advice="name a new or an empty folder")


def settle(folder: Path, settings: dict[str, Any]) -> None:
    """Write the settings, or compare them with those of the folder. Raises InputError if they differ."""
    path = folder / FILE
    if not path.is_file():
        write_json(path, settings)
        return
    before = read_settings(folder)
    for key, words in WORDS.items():
        if before.get(key) != settings[key]:
            raise InputError(
                f"was begun with {words}: {_shown(before.get(key))}, now {_shown(settings[key])}",
                key=f"--out {folder}",
                advice="continue with the same, begin anew with --overwrite, or name another folder",
            )


def read_settings(folder: Path) -> dict[str, Any]:
    """Raises InputError if the folder holds no captions of an album."""
    path = folder / FILE
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") not in ("jsonl", "parquet"):
        raise InputError("is damaged", key=str(path), advice="begin anew with --overwrite, or name another folder")
    return content


def empty(folder: Path) -> None:
    """Delete what an earlier run wrote, and nothing else."""
    for pattern in OURS:
        for path in folder.glob(pattern):
            clear(path)


def _shown(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = ", ".join(map(str, value[:2]))
        return shown + (", .." if len(value) > 2 else "")
    return str(value)
