"""A packaged name, a folder or a Hub id -> a captioner, of Showtell or one that others trained with transformers."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from showtell import checkpoint
from showtell.captioners import CAPTIONERS
from showtell.captioners.captioner import Captioner
from showtell.captioners.huggingface.captioner import HuggingFace
from showtell.captioners.huggingface.network import CONFIG
from showtell.checkpoint import RECIPE
from showtell.plumbing.errors import InputError
from showtell.plumbing.hub import HUB, fetch, hub_file, place_of
from showtell.plumbing.messages import nearest
from showtell.recipe.build import Parts
from showtell.recipe.check import check, check_sections
from showtell.settings.text import Recipe, override, packaged_recipes

# Files and folders that a captioner reads, and that may have moved since training.
PLACES = ("encoder.model", "encoder.weights", "regions.file", "regions.model", "captioner.model", "decoder.weights")
# Options that change how a captioner captions, with the same weights.
DRIVEN = tuple(f"captioner.{name}" for name in ("views", "prompt", "clean", "strip", "stop", "batch_size"))
FILES = ["*.yaml", "*.json", "*.safetensors", "*.model", "*.md"]  # the only files fetched; none of them can run code


def packaged_models() -> dict[str, Path]:
    """The folders of the models that come with Showtell, by name."""
    folder = Path(str(resources.files("showtell") / "models"))
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir()} if folder.is_dir() else {}


def load(name: str | Path, moved: Sequence[str] = ()) -> Captioner:
    """A packaged model (`tiny`), a folder, or the id of a Hugging Face Hub repository -> a captioner.

    A folder is a run of Showtell, or a model that transformers saved; so is a repository. `place_of` says which names
    are paths. `moved` gives new paths of files in PLACES, for example `encoder.weights=FILE`. The captioner's
    `caption(photos)` takes paths and PIL images, and returns a Caption (text, tokens, log_prob) for each.
    Raises InputError if there is no such model or its files are damaged; RecipeError if its recipe is not allowed.

    >>> load("tiny").caption(["photo.jpg"])  # doctest: +SKIP
    """
    packaged = packaged_models()
    place = packaged.get(str(name)) or _place(str(name), packaged)
    if isinstance(place, str):
        if not _is_ours(place):
            return load_foreign(f"{HUB}{place}", moved)
        place = fetch(place, FILES)
    return load_folder(place, moved)


def _place(name: str, packaged: dict[str, Path]) -> Path | str:
    """`place_of`, with advice if the name is a recipe's, or nearly a run's."""
    try:
        return place_of(name, packaged)
    except InputError as error:
        if name in packaged_recipes():
            error.wrong = "is a recipe, not a trained model"
            error.takes, error.near = None, None
            error.advice = f"train it (showtell train {name} data.root=DIR --run runs/{name}), then name runs/{name}"
        elif (run := _near_run(name)) is not None:
            error.near = run
        raise


def _near_run(name: str) -> str | None:
    """The run beside the one that was named, or in `runs`, whose name is most similar."""
    folders = [Path(name).parent, Path("runs")]
    runs = [str(path.parent) for folder in folders if folder.is_dir() for path in folder.glob(f"*/{RECIPE}")]
    return nearest(name, runs)


def load_folder(folder: Path, moved: Sequence[str] = ()) -> Captioner:
    """The captioner of a folder, also if a packaged model has the folder's name."""
    if not (folder / RECIPE).is_file():
        if (folder / CONFIG).is_file():
            return load_foreign(str(folder.resolve()), moved)
        wrong = f"is not a run: it has no {RECIPE}; nor has it the {CONFIG} of a model that transformers saved"
        raise InputError(wrong, key=str(folder))
    recipe = check(override(checkpoint.read_recipe(folder), moved))
    return CAPTIONERS[recipe["captioner"]["name"]].read(recipe, folder, Parts(recipe, load_folder))


def load_foreign(model: str, moved: Sequence[str] = ()) -> HuggingFace:
    """A model of transformers by its name alone, with the defaults of captioner 'huggingface' and no data."""
    recipe = override({"captioner": {"name": HuggingFace.name, "model": model}}, moved)
    return HuggingFace.open_model(check(recipe))


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
        captioner.adopt(recipe)
    captioner.check_decoding()
    return recipe


def folder_of(name_or_folder: str | Path) -> Path:
    """The folder of a captioner of Showtell's, or a copy of the Hub's repository of that id.

    Raises InputError if there is neither.
    """
    place = place_of(name_or_folder, packaged_models())
    if isinstance(place, Path):
        return place
    if not _is_ours(place):
        raise InputError(f"has no {RECIPE}: Showtell did not make it", key=f"{HUB}{place}", advice="name a run")
    return fetch(place, FILES)


def _is_ours(repository: str) -> bool:
    """Whether a repository of the Hub holds a captioner of Showtell's; InputError if it holds no captioner at all."""
    file = hub_file(repository, [RECIPE, CONFIG])
    if file is None:
        wrong = f"holds no captioner: it has neither {RECIPE} (Showtell) nor {CONFIG} (transformers)"
        raise InputError(wrong, key=f"{HUB}{repository}", advice="check the name")
    return file.name == RECIPE
