"""Things that caption images. One more is a file and a line here, and a line for its options in showtell.recipe."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from showtell import checkpoint
from showtell.captioners.captioner import Captioner
from showtell.captioners.ensemble import Ensemble
from showtell.captioners.hub import folder_of
from showtell.captioners.nearest import Nearest
from showtell.captioners.neural import Neural
from showtell.recipe.check import check
from showtell.settings.text import override

CAPTIONERS: dict[str, type[Captioner]] = {"neural": Neural, "nearest": Nearest, "ensemble": Ensemble}
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
