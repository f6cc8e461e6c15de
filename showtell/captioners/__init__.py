"""Things that caption images. A new captioner is one file and one line here."""

from importlib import resources
from pathlib import Path

from showtell.captioners.neural import Neural

CAPTIONERS = {"neural": Neural}


def packaged_models() -> dict[str, Path]:
    """The folders of the models that come with Showtell, by name."""
    folder = Path(str(resources.files("showtell") / "models"))
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir()} if folder.is_dir() else {}


def load(name: str | Path) -> Neural:
    """A packaged model (`tiny`), a run folder, or the id of a Hugging Face Hub repository -> a captioner.

    >>> load("tiny").caption(["photo.jpg"])  # doctest: +SKIP
    """
    return Neural.from_pretrained(packaged_models().get(str(name), name))
