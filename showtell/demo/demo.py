"""The demo: caption real photos with the packaged model, train a recipe on drawn scenes, and write one page on both."""

import importlib.metadata
import importlib.util
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from showtell.checkpoint import read_recipe
from showtell.data.scenes.judge import judge
from showtell.data.scenes.scenes import read_scenes
from showtell.demo.page import PhotoResults, SceneResults, write_demo_page
from showtell.loading import load
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import clear, write_json
from showtell.plumbing.reading import read_json
from showtell.predict.captions import caption_photos
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.scoring.evaluate import evaluate_run
from showtell.settings.text import load_recipe
from showtell.training.loop import train

# The photographs of scikit-image that are in the public domain (NASA, SpaceX) or under CC0.
PHOTOS = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg")
OWN = ("run", "report.html", "demo.json")  # all files and folders that a demo writes
NEXT = """
Try next:
  showtell caption PHOTO.jpg          caption your own photo with the model tiny
  showtell explain PHOTO.jpg          see where the model looked for each word
  showtell explain {scene} --model {run}
  showtell recipes                    list the recipes; train one: showtell train RECIPE data.root=FOLDER
"""


def run_demo(
    folder: Path,
    console: Console | None = None,
    *,
    model: str | Path = "tiny",
    recipe: str = "scenes",
    overrides: Sequence[str] = (),
) -> Path:
    """Run the demo in `folder` and return the path of its page. `demo.json` is written last.

    Raises InputError if scikit-image is missing, or `folder` holds anything but an earlier demo.
    """
    started = time.perf_counter()
    console = console or Plain(stderr=True)
    paths = find_demo_photos()
    _clear(folder)
    photos = _caption_photos(paths, model, console)
    scenes = _train_on_scenes(folder / "run", recipe, overrides, console)
    console.print("3/3 Writing the page, with the attention of each word")
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
    """The paths of photographs in the installed scikit-image, by name. It is not imported."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise InputError("scikit-image is not installed; the demo captions its photos: pip install 'showtell[demo]'")
    folder = Path(spec.origin).parent / "data"
    paths = {name: folder / name for name in PHOTOS if (folder / name).is_file()}
    if not paths:
        version = importlib.metadata.version("scikit-image")
        raise InputError(
            f"scikit-image {version} holds no photos in {folder}", advice="install a version from 0.24 to 0.26"
        )
    return paths


def _clear(folder: Path) -> None:
    """Delete an earlier demo in the folder. Raises InputError if it holds anything else."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not _is_demo(folder)):
        advice = "choose another folder with --out, or delete it"
        raise InputError("exists and is not an earlier demo", key=str(folder), advice=advice)
    for name in OWN:
        clear(folder / name)
    folder.mkdir(parents=True, exist_ok=True)


def _is_demo(folder: Path) -> bool:
    """Whether a demo finished here, or stopped while it trained. A run on other data is the user's work, not a demo."""
    try:
        return "scene_accuracy" in read_json(folder / "demo.json")
    except (InputError, TypeError):
        pass
    try:
        return read_recipe(folder / "run")["data"]["name"] == "scenes"
    except (InputError, RecipeError, KeyError, TypeError):
        return False


def _caption_photos(paths: dict[str, Path], model: str | Path, console: Console) -> PhotoResults:
    console.print(f"1/3 {len(paths)} real photographs (from scikit-image), captioned by {model}")
    captioner = load(model)
    captions = {}
    for image_id, caption in caption_photos(captioner, paths, console=console):
        if isinstance(caption, InputError):
            raise caption
        captions[image_id] = caption
        console.print(f"    {Path(image_id).stem:18} {caption.text}", highlight=False, soft_wrap=True)
    return PhotoResults(str(model), captioner, paths, captions)


def _train_on_scenes(run: Path, recipe: str, overrides: Sequence[str], console: Console) -> SceneResults:
    checked = check(load_recipe(recipe, overrides))
    records = build(checked, "data")
    test = [record for record in records if record.split == "test"]
    count = sum(record.split == "train" for record in records)
    console.print(
        f"2/3 Recipe {recipe}: training on {count:,} drawn scenes, then a test on {len(test):,} scenes "
        "with combinations that are not in the training scenes",
        soft_wrap=True,
    )
    started = time.perf_counter()
    train(checked, run, console=console)
    seconds = time.perf_counter() - started
    scores = evaluate_run(run, "test", console=console)
    captions = read_json(run / "captions-test.json")
    truth = read_scenes(test[0].path.parent, "test")
    verdicts = {image_id: judge(caption, truth[image_id]) for image_id, caption in captions.items()}
    results = SceneResults(recipe, overrides, run, test, captions, verdicts, scores, seconds)
    metrics = ", ".join(f"{name} {scores[name].value:.3f}" for name in ("BLEU-4", "CIDEr-D"))
    right = f"{results.accuracy:.1%} of the captions completely right"
    console.print(f"    trained in {seconds:.0f} s; {right}; {metrics}", highlight=False)
    return results
