"""The name of a packaged model, a run folder or a Hub id -> a captioner."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from showtell import checkpoint
from showtell.captioners import CAPTIONERS
from showtell.captioners.captioner import Captioner
from showtell.plumbing.errors import InputError
from showtell.recipe.build import Parts
from showtell.recipe.check import check, check_sections
from showtell.settings.text import Recipe, override

# Files and folders that a captioner reads, and that may have moved since training.
PLACES = ("encoder.model", "encoder.weights", "regions.file", "regions.model")
FILES = ["*.yaml", "*.json", "*.safetensors", "*.model", "*.md"]  # the only files fetched; none of them can run code


def packaged_models() -> dict[str, Path]:
    """The folders of the models that come with Showtell, by name."""
    folder = Path(str(resources.files("showtell") / "models"))
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir()} if folder.is_dir() else {}


def load(name: str | Path, moved: Sequence[str] = ()) -> Captioner:
    """A packaged model (`tiny`), a run folder, or the id of a Hugging Face Hub repository -> a captioner.

    `moved` gives new paths of files in PLACES, for example `encoder.weights=FILE`. The captioner's `caption(photos)`
    takes paths and PIL images, and returns a Caption (text, tokens, log_prob) for each.
    Raises InputError if there is no such model or its files are damaged; RecipeError if its recipe is not allowed.

    >>> load("tiny").caption(["photo.jpg"])  # doctest: +SKIP
    """
    return load_folder(folder_of(packaged_models().get(str(name), name)), moved)


def load_folder(folder: Path, moved: Sequence[str] = ()) -> Captioner:
    """The captioner of a run folder, even if a packaged model has the same name."""
    recipe = check(override(checkpoint.read_recipe(folder), moved))
    return CAPTIONERS[recipe["captioner"]["name"]].read(recipe, folder, Parts(recipe, load_folder))


def steer(captioner: Captioner, overrides: Sequence[str]) -> Recipe:
    """Change how a captioner captions, with overrides such as `decode.num_beams=3`. Returns the changed recipe.

    Raises RecipeError, before a photo is opened, if the captioner cannot decode so.
    """
    if captioner.recipe is None:
        asked = override({}, overrides)
        recipe = check_sections(asked, [*(["data"] if "data" in asked else []), "train", "evaluate"])
        recipe["captioner"] = {"name": captioner.name}
        captioner.decode = {**captioner.decode, **asked.get("decode", {})}
    else:
        recipe = check(override(captioner.recipe, overrides))
        captioner.decode = recipe.get("decode", captioner.decode)
        captioner.views = recipe["captioner"].get("views", captioner.views)
    captioner.check_decoding()
    return recipe


def folder_of(name_or_folder: str | Path) -> Path:
    """The folder, or a local copy of the Hub repository with that id. Raises InputError if neither exists."""
    folder = Path(name_or_folder)
    return folder if folder.is_dir() else _from_hub(str(name_or_folder))


def _from_hub(repo_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo_id, allow_patterns=FILES))
    except LocalEntryNotFoundError:
        reason = "it is out of reach, and no copy is kept here"
    except HFValidationError:
        reason = "its models are called OWNER/NAME"
    except (HfHubHTTPError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    raise InputError(f"{repo_id!r} is no run folder, and the Hugging Face Hub gives no such model: {reason}")
