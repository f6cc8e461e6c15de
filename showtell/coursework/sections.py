"""Sections of a course's report, filled by what runs left: settings, curves, scores, captions, attention, pairs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from showtell import checkpoint
from showtell.captioners.captioner import Captioner
from showtell.coursework.booklet import Booklet
from showtell.data.images import open_image
from showtell.explain.explain import explain
from showtell.plumbing.files import whole
from showtell.recipe.tables import defaults
from showtell.report.classified import bars_figure
from showtell.report.figures import loss_figure, png
from showtell.report.strip import attention_figure
from showtell.settings.text import Recipe
from showtell.training.log import read_log
from showtell.zeroshot.classify import Classified
from showtell.zeroshot.judged import judge

ALWAYS = ("epochs", "batch_size", "lr", "seed")  # settings that are shown even if they are the default
Scores = Mapping[str, Mapping[str, float]]  # run -> metric -> value


def settings(book: Booklet, recipe: Recipe) -> None:
    """A line for each section of a recipe: `decoder: gpt2, layers 3`, with the options that are not the default."""
    lines = []
    for section in ("encoder", "tokenizer", "decoder", "peft", "loss", "decode", "train"):
        usual, options = defaults(recipe, section), dict(recipe[section])
        words = [str(options.pop("name"))] if "name" in options else []
        words += [
            f"{key} {options[key]}" for key in options if key in ALWAYS or options[key] not in (usual.get(key), [])
        ]
        lines.append(f"{section}: {', '.join(words)}")
    book.text("\n".join(lines))


def curves(book: Booklet, runs: Mapping[str, Path]) -> None:
    """Training and validation losses of all runs in one figure."""
    book.figure(loss_figure({name: read_log(run) for name, run in runs.items()}))


def two_curves(rows: Sequence[Mapping[str, Any]], metric: str) -> Figure:
    """Training and validation loss on the left, the validation metric on the right, over the epochs."""
    figure = Figure(figsize=(9, 3.2), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    validated = [row for row in rows if "val_loss" in row]
    for key, name in (("loss", "training"), ("val_loss", "validation")):
        left.plot([row["epoch"] for row in validated], [row[key] for row in validated], marker="o", label=name)
    right.plot([row["epoch"] for row in validated], [row[metric] for row in validated], marker="o")
    left.legend(frameon=False)
    for axes, name in ((left, "loss per word"), (right, metric)):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel(name)
        axes.grid(axis="y", alpha=0.4)
        axes.set_ylim(bottom=0)
    return figure


def write_figure(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        part.write_bytes(png(figure))


def table(book: Booklet, scores: Scores, first: str = "run", above: str = "") -> None:
    names = list(dict.fromkeys(name for of_run in scores.values() for name in of_run))
    rows = [[run, *(_number(values.get(name)) for name in names)] for run, values in scores.items()]
    book.table([first, *names], rows, above)


def _number(value: float | None) -> str:
    if value is None:
        return "not reached"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def read_scores(run: Path, split: str = "val") -> dict[str, float]:
    """What `evaluate` wrote; nothing if it was not called."""
    file = run / f"scores-{split}.json"
    scores = json.loads(file.read_text("utf-8"))["scores"] if file.is_file() else {}
    return {name: entry["value"] for name, entry in scores.items()}


def read_recipe(run: Path) -> Recipe:
    return checkpoint.read_recipe(run)


def captions(
    book: Booklet, captioners: Mapping[str, Captioner], photos: Sequence[Path], known: Mapping[str, str]
) -> None:
    """Each photo with a caption of every captioner, and with its references in `known`, by file name."""
    for photo in photos:
        lines = [f"{name}: {one.caption([photo])[0].text}" for name, one in captioners.items()]
        lines += [f"people: {known[photo.name]}"] if photo.name in known else []
        book.photos([(open_image(photo, at_least=480), "\n".join(lines))])


def attention(
    book: Booklet, captioner: Captioner, photos: Sequence[Path], layer: int | None = None, above: str = ""
) -> None:
    """One picture a photo: where the model looked at each word, in one layer or in the mean of all."""
    for photo in photos:
        image = open_image(photo, at_least=480)
        explained = explain(captioner, image, how="attention", layer=layer, share=None)
        book.figure(attention_figure(image, explained), above=above or photo.name)


def best_and_worst(
    book: Booklet, captioner: Captioner, photos: Mapping[str, Path], values: Mapping[str, float]
) -> None:
    """The photos with the highest and the lowest value, with the attention of their captions."""
    for word, image_id in (
        ("best", max(values, key=values.__getitem__)),
        ("worst", min(values, key=values.__getitem__)),
    ):
        above = f"{word}: {image_id}, {values[image_id]:.4f}"
        attention(book, captioner, [photos[image_id]], layer=-1, above=above)


def prompts(book: Booklet, found: Classified) -> None:
    """The accuracy of each prompt, with its interval."""
    rows = [
        [way.name, f"{way.accuracy:.3f}", f"{way.interval[0]:.3f} to {way.interval[1]:.3f}"] for way in judge(found)
    ]
    book.table(["prompt", f"accuracy on {len(found.judged):,} photos", "95 % interval"], rows)


def likeliest(book: Booklet, found: Classified, count: int = 3) -> None:
    """Some photos with bars of their five likeliest labels."""
    likely, order = found.probabilities, found.order[:, :5]
    for row, image_id in list(enumerate(found.image_ids))[:count]:
        some = {found.labels.names[place]: float(likely[row, place]) for place in order[row]}
        truth = found.labels.names[found.truth[image_id]] if image_id in found.truth else None
        book.figure(bars_figure(open_image(found.photos[image_id], at_least=480), some, truth), 0.9)


def thumbnails(folder: Path, count: int) -> list[Path]:
    """Up to `count` photos of a folder, in the order of their names."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in Image.registered_extensions()]
    return paths[:count]
