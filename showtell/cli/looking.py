"""Commands that show something: demo, recipes, doctor."""

from pathlib import Path
from typing import Annotated

import typer

from showtell.cli.words import SOME_UNREADABLE, Overrides, err, out
from showtell.plumbing.console import plain
from showtell.plumbing.garbage import nothing_to_collect
from showtell.plumbing.reading import RECIPE, read_text


def demo(
    output: Annotated[Path, typer.Option("--out", help="Folder for the page and its files.")] = Path("demo"),
) -> None:
    """Caption photos, train on drawn scenes, score, and write a report (under 3 minutes)."""
    with nothing_to_collect():
        from showtell.demo.demo import run_demo

    page = run_demo(output, err)
    print(f"report: {page}")


def recipes(name: Annotated[str | None, typer.Argument(metavar="NAME", help="The recipe to print.")] = None) -> None:
    """List the packaged recipes, or print one."""
    from showtell.settings.text import load_recipe, packaged_recipes

    texts = packaged_recipes()
    if name is None:
        for each, text in texts.items():
            out.print(f"{each:14} {text.splitlines()[0].removeprefix('# ')}")
    else:
        load_recipe(name)  # raises if there is no such recipe
        print(texts.get(name) or read_text(Path(name), RECIPE), end="")


def doctor(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE_OR_FOLDER", help="A folder with photos and captions, or a recipe.")
    ],
    overrides: Overrides = None,
    output: Annotated[Path | None, typer.Option("--out", help="Write a page (.html) or all numbers (.json).")] = None,
) -> None:
    """Check a data set: unreadable photos, copies across splits, odd captions, vocabulary."""
    with nothing_to_collect():
        from showtell.doctor.examine import examine, read_words
        from showtell.doctor.page import write_diagnosis
        from showtell.doctor.terminal import lines
        from showtell.report.page import check_out

    path = check_out(output) if output is not None else None
    diagnosis = examine(read_words(recipe, overrides or []), err)
    for line in lines(diagnosis, out.width):
        print(plain(line))
    if path is not None:
        write_diagnosis(path, diagnosis)
        out.print(f"written: {path}")
    if not diagnosis.clean:
        raise typer.Exit(SOME_UNREADABLE)
