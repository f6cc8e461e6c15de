"""The measured parts of report.py, one function a problem."""

import json
from pathlib import Path

from p2_decoder import moved

from showtell.captioners.captioner import Captioner
from showtell.cli.words import err
from showtell.clip import Clip
from showtell.coursework import sections
from showtell.coursework.booklet import Booklet
from showtell.coursework.trained import count, read_trained
from showtell.plumbing.errors import ShowtellError
from showtell.scoring.evaluate import evaluate_run
from showtell.zeroshot.classify import classify_files

PROMPTS = ("This is a photo of {}", "This is not a photo of {}", "No {}, no score.")


def out_of_reach(clip: str) -> str | None:
    try:
        Clip(clip).load()
        return None
    except ShowtellError as error:
        return f"Not reached, because CLIP is missing: {error}. SHOWTELL_CLIP names a local one."


def problem_1(book: Booklet, data: Path, clip: str) -> None:
    found = classify_files(data / "val", data / "id2label.json", PROMPTS, clip, "name", err)
    sections.prompts(book, found)
    sections.likeliest(book, found)


def problem_2(book: Booklet, runs: dict[str, Path], decoder: Path, clip: str | None) -> Captioner:
    asked = ["evaluate.metrics=[CIDEr-D]"]
    if clip:
        asked = ["evaluate.metrics=[CIDEr-D,CLIPScore]", f"evaluate.clip={clip}", "evaluate.clip_protocol=taipei"]
    rows = {}
    for name, run in runs.items():
        evaluate_run(run, "val", [*moved(run, decoder), *asked], err)
        found, peft = sections.read_scores(run), sections.read_recipe(run)["peft"]["name"]
        values = {"CIDEr": found["CIDEr-D"], "CLIPScore": found.get("CLIPScore")}
        rows[f"{name} ({peft})"] = values | {"trained": count(run)}
    best = next(iter(runs.values()))
    book.text("The best run. Options that are not listed have Showtell's default value.")
    sections.settings(book, sections.read_recipe(best))
    sections.table(book, rows)
    sections.curves(book, runs)
    return read_trained(best, moved(best, decoder))


def pairs(book: Booklet, run: Path, captioner: Captioner) -> None:
    data, scores = sections.read_recipe(run)["data"], json.loads((run / "scores-val.json").read_text())
    images = json.loads(Path(data["root"], "val.json").read_text("utf-8"))["images"]
    places = {str(image["id"]): Path(data["images"].format(split="val"), image["file_name"]) for image in images}
    values = {key: value["CLIPScore"] for key, value in scores["per_image"].items()}
    sections.best_and_worst(book, captioner, places, values)
