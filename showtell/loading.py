"""A packaged name, a run folder or a Hub id -> a captioner."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from showtell import checkpoint
from showtell.captioners import CAPTIONERS
from showtell.captioners.captioner import Captioner
from showtell.captioners.hub import folder_of
from showtell.recipe.check import check
from showtell.settings.text import override

PLACES = ("encoder.weights", "regions.file", "regions.model")  # files that a captioner reads, and may find elsewhere


def packaged_models() -> dict[str, Path]:
    """The folders of the models that come with Showtell, by name."""
    folder = Path(str(resources.files("showtell") / "models"))
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir()} if folder.is_dir() else {}


def load(name: str | Path, moved: Sequence[str] = ()) -> Captioner:
    """A packaged model (`tiny`), a run folder, or the id of a Hugging Face Hub repository -> a captioner.

    `moved` says where files of PLACES are by now, as `encoder.weights=FILE`.

    >>> load("tiny").caption(["photo.jpg"])  # doctest: +SKIP
    """
    return load_folder(folder_of(packaged_models().get(str(name), name)), moved)


def load_folder(folder: Path, moved: Sequence[str] = ()) -> Captioner:
    """The captioner of a run folder, also where a packaged model has the folder's name."""
    recipe = check(override(checkpoint.read_recipe(folder), moved))
    return CAPTIONERS[recipe["captioner"]["name"]].read(recipe, folder)
