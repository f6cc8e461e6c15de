"""Make the report: `python report.py --id YOU --pdf` writes report_YOU.pdf. The reasons are yours to write."""

import argparse
import importlib
from pathlib import Path

from showtell.cli.words import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True, help="your name or number")
    parser.add_argument("--pdf", action="store_true", help="as the course asks; it is always a PDF")
    parser.add_argument("--tasks", nargs="+", type=int, default=[1, 2, 3, 4], help="the tasks that are trained")
    asked = parser.parse_args()

    import sys

    sys.argv[1:] = []  # the rest are changes of a recipe, and there are none
    from oslo_report import Trained

    from showtell.coursework import sections
    from showtell.coursework.booklet import Booklet

    scripts = {task: importlib.import_module(f"train_task{task}") for task in asked.tasks}
    done = {task: Trained(task, script.config, script.modelParam) for task, script in scripts.items()}
    out = Path(f"report_{asked.id}.pdf")
    with Booklet(out) as book:
        book.title(f"IN5400, mandatory 2: image captioning, {asked.id}")
        table = {f"task {task}": one.best for task, one in done.items()}
        book.text("Best epoch on validation, on token numbers. It was chosen on the same photos, so it is optimistic.")
        sections.table(book, table, "task")
        for task, one in done.items():
            book.title(f"Task {task}")
            book.text(", ".join(f"{key} {value}" for key, value in one.settings.items()))
            book.figure(sections.two_curves(one.rows, "METEOR-ids"))
            book.question("What do the curves show?", 2)
        book.title("Five photos with the captions of every task")
        shown = next(iter(done.values())).photos[:5]
        for photo in shown:
            lines = [f"task {task}: {one.said(photo)}" for task, one in done.items()]
            book.photos(
                [(sections.open_image(photo.path, at_least=480), "\n".join([*lines, f"people: {photo.references[0]}"]))]
            )
    print(f"written: {out}")


if __name__ == "__main__":
    run(main)
