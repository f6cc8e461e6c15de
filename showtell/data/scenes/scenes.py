"""The built-in data set: pictures of coloured shapes with five captions each, drawn once into a cache folder.

It tests whether a model generalises to new combinations. Some of them, such as a red star above a blue heart, are never
in train (`world.held_out`), but train has red stars and blue hearts. Every val and test scene has at least one such
combination. `judge.py` decides whether a caption is true.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from showtell.data.record import Record
from showtell.data.scenes import draw as draw_file
from showtell.data.scenes import words as words_file
from showtell.data.scenes import world as world_file
from showtell.data.scenes.draw import draw
from showtell.data.scenes.words import captions
from showtell.data.scenes.world import Scene, Thing, sample
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import at_home, cache_folder
from showtell.plumbing.half import made_whole
from showtell.plumbing.reading import TEXT, parse_json, read_text

INDEX = "scenes.json"
SMALLEST, LARGEST = 32, 1024  # pixels; in a smaller picture, a star is only a blot
MOST = 100_000  # more scenes would take a day to draw


def scenes(
    *,
    root: Path | None = None,
    images: int = 4000,
    val_images: int = 200,
    test_images: int = 200,
    seed: int = 0,
    size: int = 64,
) -> list[Record]:
    """`images` training pictures and some for val and test, `size` pixels wide. They are drawn if `root` has none yet.

    The default root is a folder in $SHOWTELL_CACHE or ~/.cache/showtell, a different one for each set of options.
    """
    counts = {"train": images, "val": val_images, "test": test_images}
    for name, value, least in [
        ("images", images, 1),
        ("val_images", val_images, 0),
        ("test_images", test_images, 0),
        ("size", size, SMALLEST),
    ]:
        most = LARGEST if name == "size" else MOST
        if not least <= value <= most:
            takes = f"a whole number of at least {least} and at most {most}"
            raise RecipeError(key=f"data.{name}", value=value, takes=takes)
    settings = {"counts": counts, "seed": seed, "size": size, "drawn_by": _fingerprint()}
    folder = at_home(root, "data.root") if root is not None else _default_folder(settings)
    if not (folder / INDEX).is_file():
        _make(folder, settings)
    index = _read(folder)
    if index["settings"] != settings:
        raise InputError(f"{folder}: it has scenes of other settings; delete it, or set data.root to another folder")
    return [Record(name, folder / name, tuple(e["references"]), e["split"]) for name, e in index["scenes"].items()]


def read_scenes(root: Path, split: str | None = None) -> dict[str, Scene]:
    """image_id -> its scene, for the pictures in `root` (the `path.parent` of a record)."""
    entries = _read(root)["scenes"].items()
    return {name: _scene(entry["scene"]) for name, entry in entries if split in (None, entry["split"])}


def check_drawn(settings: Mapping[str, Any]) -> None:
    """Raise InputError if reading a run's `data` section would draw scenes: an untrusted run could name any folder."""
    root = settings.get("root")
    if settings["name"] == "scenes" and root is not None and not (at_home(root, "data.root") / INDEX).is_file():
        wrong = f"is {str(root)!r} in the run, a folder without scenes"
        advice = "set data.root=FOLDER to the folder where they may be drawn"
        raise InputError(wrong, key="data.root", value=str(root), advice=advice)


def _default_folder(settings: dict[str, Any]) -> Path:
    cache = cache_folder()
    counts = "-".join(str(count) for count in settings["counts"].values())
    return cache / f"scenes-{counts}-seed{settings['seed']}-{settings['size']}px-{settings['drawn_by']}"


def _fingerprint() -> str:
    """Digest of the code that draws scenes, so that pictures of an older version are never reused."""
    sources = [Path(str(module.__file__)).read_bytes() for module in (world_file, draw_file, words_file)]
    return f"{zlib.crc32(b''.join(sources)):08x}"


def _make(folder: Path, settings: dict[str, Any]) -> None:
    """Draw into a temporary folder, then rename it. So a killed or a second process never leaves half a data set."""
    try:
        with made_whole(folder) as half:
            _draw_all(half, settings)
    except OSError as error:
        if (folder / INDEX).is_file():  # another process was faster
            return
        if folder.exists():
            raise InputError(f"{folder}: it exists and has no scenes; set data.root to an empty folder") from error
        where = "set SHOWTELL_CACHE or data.root to a writable folder"
        raise InputError(f"{folder}: cannot be written ({error.strerror}); {where}") from error


def _draw_all(folder: Path, settings: dict[str, Any]) -> None:
    entries = {}
    for split, count in settings["counts"].items():
        for number in range(count):
            # Each scene has its own random generator, so that more scenes do not change the first ones.
            random = Random(f"{settings['seed']} {split} {number}")
            scene = sample(random, unseen=split != "train")
            name = f"{split}-{number:05}.png"
            draw(scene, settings["size"]).save(folder / name)
            entries[name] = {"split": split, "references": captions(scene, random), "scene": asdict(scene)}
    (folder / INDEX).write_text(json.dumps({"settings": settings, "scenes": entries}), encoding="utf-8")


def _read(folder: Path) -> dict[str, Any]:
    if not (folder / INDEX).exists():
        raise InputError(f"{folder}: it has no {INDEX}, so no scenes")
    text = read_text(folder / INDEX, TEXT)
    try:
        index = parse_json(text)
    except ValueError as error:
        advice = "delete the folder, then the scenes are drawn again"
        raise InputError(f"{folder / INDEX}: not JSON ({error}); {advice}") from error
    if not isinstance(index, dict) or not {"settings", "scenes"} <= index.keys():
        raise InputError(f"{folder / INDEX}: not written by 'scenes'; set data.root to another folder")
    return index


def _scene(entry: dict[str, Any]) -> Scene:
    return Scene(tuple(Thing(**thing) for thing in entry["things"]), tuple(entry["background"]))
