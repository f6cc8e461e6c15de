"""`album.json`: what made a folder of captions. Other settings are refused: a folder never mixes two captioners."""

import json
from pathlib import Path
from typing import Any, cast

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import clear, write_text
from showtell.plumbing.reading import parse_json, read_text, whole_letters
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
WORDING = ("--prepend", "--append", "--max-characters")  # the entries of `wording`


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
        # A path may have bytes that are not UTF-8: whole_letters writes each as an escape of JSON, `\udcff`.
        write_text(path, whole_letters(json.dumps(settings, ensure_ascii=False, indent=1)) + "\n")
        return
    before = read_settings(folder)
    for key, words in WORDS.items():
        if before[key] != settings[key]:
            raise InputError(
                f"was begun with {words}: {_shown(key, before[key])}, now {_shown(key, settings[key])}",
                key=f"--out {folder}",
                advice="continue with the same, begin anew with --overwrite, or name another folder",
            )


def read_settings(folder: Path) -> dict[str, Any]:
    """Raises InputError if the folder holds no captions of an album."""
    path = folder / FILE
    try:
        content = parse_json(read_text(path), mend=False)  # escapes of bytes stay what they are
    except InputError:
        raise
    except ValueError:
        content = None
    if not _is_whole(content):
        raise InputError("is damaged", key=str(path), advice="begin anew with --overwrite, or name another folder")
    return cast(dict[str, Any], content)


def _is_whole(content: Any) -> bool:
    if not isinstance(content, dict) or not content.keys() >= WORDS.keys():
        return False
    texts = [content["model"], content["decoding"], content["made_by"], content["photo_column"] or ""]
    lists = [content["photos"], content["wording"]]
    fit = all(isinstance(text, str) for text in texts) and all(isinstance(each, list) for each in lists)
    return fit and len(content["wording"]) == len(WORDING) and content["format"] in ("jsonl", "parquet")


def empty(folder: Path) -> None:
    """Delete what an earlier run wrote, and nothing else."""
    for pattern in OURS:
        for path in folder.glob(pattern):
            clear(path)


def _shown(key: str, value: Any) -> str:
    """
    >>> _shown("wording", ["photo: ", "", 80]), _shown("wording", ["", "", None])
    ("--prepend 'photo: ' --max-characters 80", 'none of them')
    """
    if key == "wording":
        given = [f"{name} {each!r}" for name, each in zip(WORDING, value, strict=True) if each not in ("", None)]
        return " ".join(given) or "none of them"
    if isinstance(value, list):
        return ", ".join(map(str, value[:2])) + (", .." if len(value) > 2 else "")
    return str(value)
