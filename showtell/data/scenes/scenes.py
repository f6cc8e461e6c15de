"""The embedded data set: pictures of coloured shapes, drawn once into a cache folder, with five captions each.

Train never shows some combinations of two things and how they stand (`world.held_out`); every val and test
scene shows one at least. So a model is right there only by putting what it knows together anew. `judge.py` says
whether a caption is true.
"""

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

from showtell.data.record import Record
from showtell.data.scenes import draw as draw_file
from showtell.data.scenes import words as words_file
from showtell.data.scenes import world as world_file
from showtell.data.scenes.draw import draw
from showtell.data.scenes.words import captions
from showtell.data.scenes.world import Scene, Thing, sample
from showtell.plumbing.errors import InputError, RecipeError

INDEX = "scenes.json"
SMALLEST = 32  # pixels: below, a star is a blot


def scenes(
    *,
    root: Path | None = None,
    images: int = 4000,
    val_images: int = 200,
    test_images: int = 200,
    seed: int = 0,
    size: int = 64,
) -> list[Record]:
    """`images` pictures to train on and some to validate and test, `size` pixels wide; drawn where not yet in `root`.

    The default root is a folder of its own for each setting in $SHOWTELL_CACHE or ~/.cache/showtell.
    """
    counts = {"train": images, "val": val_images, "test": test_images}
    for name, value, least in [
        ("images", images, 1),
        ("val_images", val_images, 0),
        ("test_images", test_images, 0),
        ("size", size, SMALLEST),
    ]:
        if value < least:
            raise RecipeError(f"data.{name}={value} is too small for 'scenes'; it must be {least} at least")
    settings = {"counts": counts, "seed": seed, "size": size, "drawn_by": _fingerprint()}
    folder = Path(root).expanduser() if root is not None else _default_folder(settings)
    if not (folder / INDEX).is_file():
        _make(folder, settings)
    index = _read(folder)
    if index["settings"] != settings:
        raise InputError(f"{folder}: holds scenes of other settings; delete it, or choose another folder as data.root")
    return [Record(name, folder / name, tuple(e["references"]), e["split"]) for name, e in index["scenes"].items()]


def read_scenes(root: Path, split: str | None = None) -> dict[str, Scene]:
    """The truth behind the pictures in `root` (a record's `path.parent`), by image_id."""
    entries = _read(root)["scenes"].items()
    return {name: _scene(entry["scene"]) for name, entry in entries if split in (None, entry["split"])}


def check_drawn(settings: Mapping[str, Any]) -> None:
    """Raise InputError if a run's section `data` would draw scenes: a stranger's run may name any folder for them."""
    root = settings.get("root")
    if settings["name"] == "scenes" and root is not None and not (Path(root).expanduser() / INDEX).is_file():
        raise InputError(f"data.root={root} of the run holds no scenes; say with data.root=FOLDER where to draw them")


def _default_folder(settings: dict[str, Any]) -> Path:
    cache = Path(os.environ.get("SHOWTELL_CACHE") or "~/.cache/showtell").expanduser()
    counts = "-".join(str(count) for count in settings["counts"].values())
    return cache / f"scenes-{counts}-seed{settings['seed']}-{settings['size']}px-{settings['drawn_by']}"


def _fingerprint() -> str:
    """Digest of the code that makes scenes: what an earlier edition of it drew is never taken for today's."""
    sources = [Path(str(module.__file__)).read_bytes() for module in (world_file, draw_file, words_file)]
    return f"{zlib.crc32(b''.join(sources)):08x}"


def _make(folder: Path, settings: dict[str, Any]) -> None:
    """Draw beside `folder`, then rename: whoever is killed, or draws the same at the same time, leaves nothing half."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        half = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _draw_all(half, settings)
            half.chmod(0o755)  # mkdtemp's is for the owner alone
            half.rename(folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    except OSError as error:
        if (folder / INDEX).is_file():  # another process was faster
            return
        if folder.exists():
            raise InputError(f"{folder}: exists and holds no scenes; choose an empty folder as data.root") from error
        where = "set SHOWTELL_CACHE or data.root to a folder that can be written"
        raise InputError(f"{folder}: cannot be written ({error.strerror}); {where}") from error


def _draw_all(folder: Path, settings: dict[str, Any]) -> None:
    entries = {}
    for split, count in settings["counts"].items():
        for number in range(count):
            # Each scene has its own stream of chance: more of them leave the first ones as they are.
            random = Random(f"{settings['seed']} {split} {number}")
            scene = sample(random, unseen=split != "train")
            name = f"{split}-{number:05}.png"
            draw(scene, settings["size"]).save(folder / name)
            entries[name] = {"split": split, "references": captions(scene, random), "scene": asdict(scene)}
    (folder / INDEX).write_text(json.dumps({"settings": settings, "scenes": entries}), encoding="utf-8")


def _read(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{folder}: no {INDEX} in it, so no scenes") from error
    except ValueError as error:
        raise InputError(f"{folder / INDEX}: not JSON ({error}); delete the folder, it is drawn again") from error
    if not isinstance(index, dict) or not {"settings", "scenes"} <= index.keys():
        raise InputError(f"{folder / INDEX}: not what 'scenes' writes; choose another folder as data.root")
    return index


def _scene(entry: dict[str, Any]) -> Scene:
    return Scene(tuple(Thing(**thing) for thing in entry["things"]), tuple(entry["background"]))
