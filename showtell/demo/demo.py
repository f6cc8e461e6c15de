"""The demo: real photos captioned by the packaged model, a recipe trained on drawn scenes, and one page about both."""

import importlib.metadata
import importlib.util
import json
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from showtell.checkpoint import read_recipe
from showtell.data.scenes.judge import judge
from showtell.data.scenes.scenes import read_scenes
from showtell.demo.page import PhotoResults, SceneResults, write_demo_page
from showtell.loading import load
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import clear, write_json
from showtell.predict.captions import caption_photos
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.scoring.evaluate import evaluate_run
from showtell.settings.text import load_recipe
from showtell.training.loop import train

# Of scikit-image's photographs those that their makers gave to the public domain (NASA, SpaceX) or under CC0.
PHOTOS = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg")
OWN = ("run", "report.html", "demo.json")  # all that a demo leaves in its folder
NEXT = """
Try next:
  showtell caption PHOTO.jpg          a photo of yours, captioned by tiny
  showtell explain PHOTO.jpg          and where each word looked
  showtell explain {scene} --model {run}
  showtell recipes                    what can be trained; showtell train RECIPE data.root=FOLDER does it
"""


def run_demo(
    folder: Path,
    console: Console | None = None,
    *,
    model: str | Path = "tiny",
    recipe: str = "scenes",
    overrides: Sequence[str] = (),
) -> Path:
    """Do all of it in `folder` and return the page's path; `demo.json` beside it is written last.

    Raises InputError if scikit-image is missing or `folder` holds anything but an earlier demo.
    """
    started = time.perf_counter()
    console = console or Console(stderr=True)
    paths = find_demo_photos()
    _clear(folder)
    photos = _caption_photos(paths, model, console)
    scenes = _train_on_scenes(folder / "run", recipe, overrides, console)
    console.print("[bold]3/3[/] The page, with what each word looked at")
    page = write_demo_page(folder / "report.html", photos, scenes)
    seconds = time.perf_counter() - started
    summary = {
        "seconds": round(seconds, 1),
        "captions": {image_id: caption.text for image_id, caption in photos.captions.items()},
        "scene_accuracy": scenes.accuracy,
        "scores": {name: round(score.value, 6) for name, score in scenes.scores.items()},
    }
    write_json(folder / "demo.json", summary)
    console.print(f"    done in {seconds:.0f} s", highlight=False)
    console.print(NEXT.format(run=scenes.run, scene=scenes.records[0].path), markup=False, soft_wrap=True)
    return page


def find_demo_photos() -> dict[str, Path]:
    """Photographs inside the installed scikit-image, which is not imported for it."""
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise InputError("scikit-image is not installed; the demo captions its photos: pip install 'showtell[demo]'")
    folder = Path(found.origin).parent / "data"
    paths = {name: folder / name for name in PHOTOS if (folder / name).is_file()}
    if not paths:
        version = importlib.metadata.version("scikit-image")
        raise InputError(f"scikit-image {version} holds no photos in {folder}; the demo knows those of 0.24 to 0.26")
    return paths


def _clear(folder: Path) -> None:
    """Make room for a demo: an earlier one goes, anything else stays and stops us."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not _is_demo(folder)):
        raise InputError(f"{folder} exists and is no earlier demo; name another folder with --out, or delete it")
    for name in OWN:
        clear(folder / name)
    folder.mkdir(parents=True, exist_ok=True)


def _is_demo(folder: Path) -> bool:
    """Whether a demo was finished here or was stopped while it trained; a run of other data is somebody's work."""
    try:
        return "scene_accuracy" in json.loads((folder / "demo.json").read_text("utf-8"))
    except (OSError, ValueError):
        pass
    try:
        return read_recipe(folder / "run")["data"]["name"] == "scenes"
    except (InputError, RecipeError, KeyError, TypeError):
        return False


def _caption_photos(paths: dict[str, Path], model: str | Path, console: Console) -> PhotoResults:
    console.print(f"[bold]1/3[/] {len(paths)} real photographs (from scikit-image), captioned by {model}")
    captioner = load(model)
    captions = {}
    for image_id, caption in caption_photos(captioner, paths, console=console):
        if isinstance(caption, InputError):
            raise caption
        captions[image_id] = caption
        console.print(f"    [cyan]{Path(image_id).stem:18}[/] {caption.text}", highlight=False, soft_wrap=True)
    return PhotoResults(str(model), captioner, paths, captions)


def _train_on_scenes(run: Path, recipe: str, overrides: Sequence[str], console: Console) -> SceneResults:
    checked = check(load_recipe(recipe, overrides))
    records = build(checked, "data")
    test = [record for record in records if record.split == "test"]
    count = sum(record.split == "train" for record in records)
    console.print(
        f"[bold]2/3[/] Recipe {recipe}: trained on {count:,} drawn scenes, then asked about {len(test):,} "
        "with combinations that it never saw",
        soft_wrap=True,
    )
    started = time.perf_counter()
    train(checked, run, console=console)
    seconds = time.perf_counter() - started
    scores = evaluate_run(run, "test", console=console)
    captions = json.loads((run / "captions-test.json").read_text("utf-8"))
    truth = read_scenes(test[0].path.parent, "test")
    verdicts = {image_id: judge(caption, truth[image_id]) for image_id, caption in captions.items()}
    found = SceneResults(recipe, overrides, run, test, captions, verdicts, scores, seconds)
    said = ", ".join(f"{name} {scores[name].value:.3f}" for name in ("BLEU-4", "CIDEr-D"))
    console.print(
        f"    trained in {seconds:.0f} s; {found.accuracy:.1%} of the scenes all right; {said}", highlight=False
    )
    return found
