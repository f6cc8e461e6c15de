"""The subcommands; nothing else. Exit codes: 0 all done, 2 wrong use, 3 `caption`, `explain` or `doctor` found photos
that cannot be read (the others leave them out, and say so), 130 stopped.

What a command imports stands inside it: help must not wait for torch.
"""

import io
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from showtell.plumbing.errors import InputError, ShowtellError, Unreadable
from showtell.plumbing.messages import count, printable

app = typer.Typer(
    help="Train, score, explain and use image captioners; every captioner is a recipe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Start with `showtell demo`, or `showtell caption photo.jpg`.",
)
out, err = Console(soft_wrap=True, highlight=False, markup=False), Console(stderr=True, highlight=False)

Recipe = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A packaged recipe (see `showtell recipes`) or the path of a YAML.")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Such as encoder=lite, train.lr=1e-4.")
]
Photos = Annotated[
    list[str], typer.Argument(metavar="PHOTO_OR_FOLDER", help="Photos, folders of photos, decode.key=value.")
]
Model = Annotated[str, typer.Option(help="A run folder, a packaged model, or a Hugging Face Hub id.")]
SOME_UNREADABLE = 3


@app.command(epilog="Example: `showtell demo --out demo`")
def demo(
    output: Annotated[Path, typer.Option("--out", help="Folder for the page and its files.")] = Path("demo"),
) -> None:
    """Caption real photos, train on drawn scenes, score, and leave a report to look at (under 3 minutes)."""
    from showtell.demo.demo import run_demo

    page = run_demo(output, err)
    print(f"report: {page}")


@app.command(epilog="Examples: `showtell recipes`, `showtell recipes bern-6 > mine.yaml`")
def recipes(name: Annotated[str | None, typer.Argument(metavar="NAME", help="The one to print.")] = None) -> None:
    """List the packaged recipes, or print one."""
    from showtell.settings.text import load_recipe, packaged_recipes

    texts = packaged_recipes()
    if name is None:
        for each, text in texts.items():
            out.print(f"{each:14} {text.splitlines()[0].removeprefix('# ')}")
    else:
        load_recipe(name)  # for its error
        print(texts.get(name) or Path(name).read_text("utf-8"), end="")


@app.command(epilog="Example: `showtell train bern-6 data.root=DIR encoder=lite train.epochs=10 --run runs/b6`")
def train(
    recipe: Recipe,
    overrides: Overrides = None,
    run: Annotated[Path | None, typer.Option(help="Folder for the run; runs/RECIPE unless given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
) -> None:
    """Train a recipe into a run folder."""
    from showtell.recipe.check import check
    from showtell.settings.text import load_recipe
    from showtell.training.loop import train as train_recipe

    folder = run or Path("runs") / Path(recipe).stem
    train_recipe(check(load_recipe(recipe, overrides or [])), folder, resume, err)
    out.print(f"trained: {folder}; next: showtell evaluate {folder}, showtell caption PHOTO --model {folder}")


@app.command(epilog="Example: `showtell ensemble runs/a runs/b --run runs/ab`")
def ensemble(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="Run folders, of the same tokenizer; two or more.")],
    run: Annotated[Path, typer.Option(help="Folder for the ensemble, which holds copies of the runs.")],
) -> None:
    """Put trained runs together: each word is the one that is likeliest by the mean of their probabilities."""
    from showtell.training.together import make_ensemble

    make_ensemble(runs, run)
    out.print(f"written: {run}; next: showtell evaluate {run}, showtell caption PHOTO --model {run}")


@app.command(epilog="Example: `showtell evaluate runs/b6 --split val decode.num_beams=3`")
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder; with --out any model.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Of data, decode, evaluate, captioner.views."),
    ] = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    output: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Instead of RUN; `compare` takes it as one.")
    ] = None,
) -> None:
    """Caption a split with the run's best weights and score it: RUN/scores-SPLIT.json and a table."""
    from showtell.scoring.evaluate import evaluate_run

    _show(evaluate_run(run, split, overrides or [], err, output))
    folder = output or run
    out.print(f"written: {folder / f'scores-{split}.json'}, {folder / f'captions-{split}.json'}")


@app.command(epilog="Examples: `showtell caption photo.jpg`, `showtell caption album/ --out captions.csv`")
def caption(
    photos: Photos,
    model: Model = "tiny",
    output: Annotated[Path | None, typer.Option("--out", help="A .json, .jsonl or .csv file.")] = None,
) -> None:
    """Caption your own photos."""
    from showtell.loading import packaged_models
    from showtell.predict.captions import Writer, caption_photos, find_photos

    words, changes = _photos_and_changes(photos)
    found = find_photos(words)
    writer = Writer(output)
    captioner = _load(model, changes)
    if model in packaged_models():
        err.print((packaged_models()[model] / "about.txt").read_text("utf-8").strip(), markup=False, soft_wrap=True)
    failed: dict[str, Unreadable] = {}
    with writer:
        for image_id, result in caption_photos(captioner, found, console=err):
            if isinstance(result, Unreadable):
                failed[image_id] = result
            else:
                writer.write(image_id, result)
                if output is None:
                    print(f"{printable(image_id)}: {result.text}", flush=True)
    if output is not None:
        out.print(f"written: {output} ({len(found) - len(failed):,} captions)")
    _report_unreadable(failed, len(found))


@app.command(epilog="Example: `showtell score --candidates captions.json --references dataset_flickr8k.json`")
def score(
    candidates: Annotated[Path, typer.Option(help="{image_id: caption}, or a COCO results list.")],
    references: Annotated[Path, typer.Option(help="{image_id: [captions]}, COCO or Karpathy JSON.")],
    metrics: Annotated[str | None, typer.Option(help="Names, with commas between; all unless given.")] = None,
    training: Annotated[Path | None, typer.Option(help="JSON of the training captions: tells copies.")] = None,
    frequencies: Annotated[Path | None, typer.Option(help="References JSON: CIDEr's document frequencies.")] = None,
    photos: Annotated[Path | None, typer.Option(metavar="DIR", help="The photos, for CLIPScore.")] = None,
    clip: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="CLIPScore's: hub id, folder, or open_clip:ARCHITECTURE/TAG."),
    ] = None,
    protocol: Annotated[str, typer.Option(help="CLIPScore's: paper, taipei or torchmetrics.")] = "paper",
    output: Annotated[Path | None, typer.Option("--out", help="A JSON file for the scores.")] = None,
) -> None:
    """Score captions from anywhere by coco-caption's protocol."""
    from showtell.metrics.score import to_json
    from showtell.plumbing.files import write_json
    from showtell.scoring.files import score_files

    names = [name.strip() for name in metrics.split(",")] if metrics else None
    more: dict[str, Any] = {"clip": clip, "clip_protocol": protocol}
    more |= {"training": training, "frequencies": frequencies, "photos": photos}
    scores = score_files(candidates, references, names, err, **more)
    _show(scores)
    if output is not None:
        write_json(output, to_json(scores))


@app.command(epilog="Example: `showtell compare runs/b4 runs/b6 --split val --out compare.html`")
def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN", help="Run folders, each compared with the first; and data.key=value.")
    ],
    split: Annotated[str, typer.Option(help="train, val or test: of the captions that `evaluate` wrote.")] = "val",
    references: Annotated[
        Path | None, typer.Option(help="References as `score` takes them; a RUN may then be a JSON of captions.")
    ] = None,
    photos: Annotated[Path | None, typer.Option(metavar="DIR", help="The photos, beside --references.")] = None,
    metrics: Annotated[str | None, typer.Option(help="Names, with commas between; all unless given.")] = None,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap, and swaps.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    output: Annotated[Path | None, typer.Option("--out", help="A page (.html) or everything (.json).")] = None,
) -> None:
    """Say which run captions better, how sure that is, and on which photos each wins most."""
    from showtell.report.compared import lines, write_comparison
    from showtell.report.page import check_out
    from showtell.scoring.compare import compare_runs

    path = check_out(output) if output is not None else None
    changes = [word for word in runs if _is_change(word)]
    folders = [Path(word) for word in runs if word not in changes]
    settings: dict[str, Any] = {"metrics": metrics, "resamples": resamples, "seed": seed}
    found = compare_runs(folders, split, changes, references, photos, console=err, **settings)
    for line in lines(found):
        out.print(line)
    if path is not None:
        write_comparison(path, found, shlex.join(["showtell", *sys.argv[1:]]))
        out.print(f"written: {path}")


@app.command(epilog="Example: `showtell explain photo.jpg --model runs/b6 --out maps`")
def explain(
    photos: Photos,
    model: Model = "tiny",
    output: Annotated[Path, typer.Option("--out", help="Folder for the pictures.")] = Path("explained"),
) -> None:
    """Draw which part of the photo each word looked at."""
    from showtell.predict.captions import find_photos
    from showtell.report.explained import explain_photos

    words, changes = _photos_and_changes(photos)
    found = find_photos(words)
    captioner = _load(model, changes)
    failed: dict[str, Unreadable] = {}
    for image_id, picture in explain_photos(captioner, found, output, err):
        if isinstance(picture, Unreadable):
            failed[image_id] = picture
        else:
            out.print(f"written: {picture}")
    _report_unreadable(failed, len(found))


@app.command(epilog="Example: `showtell features bern-6 data.root=DIR encoder=lite`")
def features(recipe: Recipe, overrides: Overrides = None) -> None:
    """Fill the feature cache for every photo of a recipe's data, and every view that training takes; do not train."""
    import torch

    from showtell.cache import open_source, turned_encoders
    from showtell.data import notes
    from showtell.plumbing.device import device_of
    from showtell.recipe.build import build, build_encoder
    from showtell.recipe.check import check
    from showtell.settings.text import load_recipe

    checked = check(load_recipe(recipe, overrides or []))
    torch.manual_seed(checked["train"]["seed"])  # as `train` does: random weights are then the same
    records, encoder = build(checked, "data"), build_encoder(checked).to(device_of(checked["train"]["device"]))
    for line in notes(records):
        err.print(line, markup=False, soft_wrap=True)
    views = checked["train"].get("augment", "none")  # a captioner that takes no steps has none
    turned = turned_encoders(encoder, views, "train.augment")
    upright = open_source(records, encoder, console=err)
    training = [record for record in upright.records if record.split == "train" and record.references]
    for source in (upright, *(open_source(training, each, console=err) for each in turned if training)):
        for folder in source.folders:
            out.print(f"cached: {len(source):,} photos in {folder}", soft_wrap=True)


@app.command(epilog="Examples: `showtell doctor datasets/flickr8k`, `showtell doctor bern-6 --out doctor.html`")
def doctor(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE_OR_FOLDER", help="A folder with photos and captions, or a recipe.")
    ],
    overrides: Overrides = None,
    output: Annotated[Path | None, typer.Option("--out", help="A page (.html) or everything (.json).")] = None,
) -> None:
    """Say what is wrong with a data set: unreadable and odd photos, copies across splits, captions, vocabulary."""
    from showtell.doctor.examine import examine, read_words
    from showtell.doctor.page import write_diagnosis
    from showtell.doctor.terminal import lines
    from showtell.report.page import check_out

    path = check_out(output) if output is not None else None
    diagnosis = examine(read_words(recipe, overrides or []), err)
    for line in lines(diagnosis, out.width):
        print(line)
    if path is not None:
        write_diagnosis(path, diagnosis)
        out.print(f"written: {path}")
    if not diagnosis.clean:
        raise typer.Exit(SOME_UNREADABLE)


def _show(scores: Any) -> None:
    from showtell.report.scores import lines

    for line in lines(scores):
        out.print(line)


def _photos_and_changes(words: list[str]) -> tuple[list[Path], list[str]]:
    """Paths, and overrides such as `decode.num_beams=3`; a file that is called so is a photo."""
    from showtell.loading import PLACES

    changes = [word for word in words if _is_change(word)]
    may = ["decode", "captioner.views", *PLACES]
    if wrong := [word for word in changes if not {*may} & {word.partition("=")[0], word.partition(".")[0]}]:
        raise InputError(
            f"{wrong[0]} is not a photo, and here {', '.join(may)} alone can be changed: decode.num_beams=3"
        )
    return [Path(word) for word in words if word not in changes], changes


def _load(model: str, changes: list[str]) -> Any:
    """The model with the changes, on what this machine has; what is wrong with them is told before a photo is seen."""
    from showtell.loading import PLACES, load, steer
    from showtell.plumbing.device import device_of

    captioner = load(model, [item for item in changes if item.partition("=")[0] in PLACES]).to(device_of("auto"))
    steer(captioner, changes)
    return captioner


def _is_change(word: str) -> bool:
    return bool(re.match(r"^[a-z]+(\.[a-z_]+)?=", word)) and not Path(word).exists()


def _report_unreadable(failed: dict[str, Unreadable], total: int) -> None:
    if failed:
        for image_id, error in failed.items():
            err.print(f"not read: {printable(image_id)}: {error.reason}", markup=False, soft_wrap=True)
        err.print(f"{len(failed):,} of {count(total, 'photo')} cannot be read")
        raise typer.Exit(SOME_UNREADABLE)


def main() -> None:
    """The `showtell` command: a user's mistake is one line and exit code 2, never a traceback."""
    from showtell.plumbing.errors import Interrupted

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may hold bytes that are no letters
    try:
        app(prog_name="showtell")
    except ShowtellError as error:
        err.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(2)
    except OSError as error:  # of those that nobody had better words for: a folder without rights, a full disk
        where = f"{error.filename}: " if error.filename else ""
        err.print(f"error: {where}{error.strerror or error}", markup=False, soft_wrap=True)
        sys.exit(2)
    except Interrupted as stop:
        err.print(str(stop), markup=False, soft_wrap=True)
        sys.exit(130)
