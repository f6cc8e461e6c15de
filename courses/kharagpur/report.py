"""Make the report: `python report.py --id 7 --pdf` writes team_id_7_report.pdf. The reasons are yours to write."""

import argparse
import json
from pathlib import Path

from showtell.cli.words import err, run

GREEDY = ["decode=greedy", "decode.max_length=130"]  # as the course scores both parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True, help="the number of your team")
    parser.add_argument("--pdf", action="store_true", help="as the course asks; it is always a PDF")
    parser.add_argument("--data", type=Path, default=Path("data/kharagpur"), help="folder with train/, val/, test/")
    parser.add_argument("--runs", nargs="+", default=["runs/a", "runs/b"], help="runs of part_a.ipynb and part_b.ipynb")
    parser.add_argument("--split", default="test", help="the photos that are scored")
    asked = parser.parse_args()

    import showtell
    from showtell.coursework import sections
    from showtell.coursework.booklet import Booklet
    from showtell.coursework.occlusion import read_occlusion
    from showtell.plumbing.errors import InputError
    from showtell.scoring.evaluate import evaluate_run
    from showtell.settings.text import override

    runs = {Path(run).name: Path(run) for run in asked.runs if (Path(run) / "recipe.yaml").is_file()}
    if not runs:
        raise InputError("are no runs", key="--runs", value=asked.runs, advice="run the notebooks first")
    for folder in runs.values():
        evaluate_run(folder, asked.split, [*GREEDY, "evaluate.metrics=[BLEU-1,BLEU-4,ROUGE-L,CIDEr-D]"], err)
    captioners = {name: showtell.load(run) for name, run in runs.items()}
    for captioner in captioners.values():
        captioner.decode = override({"decode": captioner.decode}, GREEDY)["decode"]
    photos = sections.thumbnails(asked.data / asked.split, 5)
    out = Path(f"team_id_{asked.id}_report.pdf")
    with Booklet(out) as book:
        book.title(f"Image captioning, team {asked.id}")
        for name, run in runs.items():
            book.text(f"Run {name}. Options that are not listed have Showtell's default value.")
            sections.settings(book, sections.read_recipe(run))
        sections.table(book, {name: sections.read_scores(run, asked.split) for name, run in runs.items()})
        sections.curves(book, runs)
        book.question("What limits each part? How do they differ?")
        if rows := read_occlusion(runs.values()):
            sections.table(book, rows, "percent black", "Change of the scores with black patches, after minus before:")
        else:
            book.text("Not measured: occlusion. part_b.ipynb leaves occlusion.json in its run.")
        if (found := Path("runs/classifier.json")).is_file():
            scores = {"classifier": json.loads(found.read_text("utf-8"))}
            sections.table(book, scores, "part C", "Part C, whose caption is it? Macro means on the test photos:")
        sections.captions(book, captioners, photos, {})
    print(f"written: {out} ({book.count} pages)")


if __name__ == "__main__":
    run(main)
