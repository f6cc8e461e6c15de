"""The subcommands. Each command imports what it needs inside its function, so that `--help` does not wait for torch.

Exit codes: 0 done; 2 wrong use; 3 `caption`, `explain`, `classify` or `doctor` found photos that cannot be read (other
commands skip such photos and report them); 130 stopped.
"""

from collections.abc import Callable
from typing import Annotated

import typer

from showtell import __version__
from showtell.cli import albums, captioning, exporting, looking, scoring, serving, training
from showtell.cli.words import run
from showtell.plumbing.garbage import leave_at_exit

app = typer.Typer(
    help="Train, score, explain and use image captioners; every captioner is a recipe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Start with `showtell demo`, or `showtell caption photo.jpg`.",
)

COMMANDS: dict[str, tuple[Callable[..., None], str]] = {  # in the order of the help, each with an example
    "demo": (looking.demo, "Example: `showtell demo --out demo`"),
    "recipes": (looking.recipes, "Examples: `showtell recipes`, `showtell recipes bern-6 > mine.yaml`"),
    "train": (
        training.train,
        "Example: `showtell train bern-6 data.root=DIR encoder=lite train.epochs=10 --run runs/b6`",
    ),
    "ensemble": (training.ensemble, "Example: `showtell ensemble runs/a runs/b --run runs/ab`"),
    "evaluate": (scoring.evaluate, "Example: `showtell evaluate runs/b6 --split val decode.num_beams=3`"),
    "caption": (
        captioning.caption,
        "Examples: `showtell caption photo.jpg`, `showtell caption album/ --out captions.csv`, "
        "`showtell caption album/ --out captions/`",
    ),
    "score": (scoring.score, "Example: `showtell score --candidates captions.json --references dataset_flickr8k.json`"),
    "compare": (scoring.compare, "Example: `showtell compare runs/b4 runs/b6 --split val --out compare.html`"),
    "report": (scoring.report, "Example: `showtell report runs/b4 runs/b6 --out report --pdf`"),
    "explain": (
        captioning.explain,
        "Examples: `showtell explain photo.jpg --model runs/b6 --out maps`, `showtell explain --check album/`",
    ),
    "classify": (
        captioning.classify,
        "Examples: `showtell classify photo.jpg --labels cat,dog`, `showtell classify album/ --labels folders`",
    ),
    "find": (
        albums.find,
        'Examples: `showtell find "a red car" captions/ --out page.html`, `showtell find "a dog" album/`',
    ),
    "serve": (serving.serve, "Examples: `showtell serve`, `showtell serve --model tiny --model runs/b6 --port 8080`"),
    "export": (exporting.export, "Examples: `showtell export tiny --out onnx`, `showtell export runs/b6 --int8`"),
    "features": (training.features, "Example: `showtell features bern-6 data.root=DIR encoder=lite`"),
    "doctor": (
        looking.doctor,
        "Examples: `showtell doctor datasets/flickr8k`, `showtell doctor bern-6 --out doctor.html`",
    ),
}
for name, (command, example) in COMMANDS.items():
    app.command(name, epilog=example)(command)


def say_version(asked: bool) -> None:
    if asked:
        print(f"showtell {__version__}")
        raise typer.Exit


@app.callback()
def before(
    version: Annotated[
        bool, typer.Option("--version", callback=say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The options before a subcommand."""


def main() -> None:
    """The `showtell` command."""
    leave_at_exit()
    run(lambda: app(prog_name="showtell"))
