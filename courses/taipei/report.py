"""Make hw3_<id>.pdf: `python3 report.py --id R12345678 --pdf`. It measures; the reasons are yours to write."""

import argparse
import os
from pathlib import Path

from showtell.cli.words import run

CLIP = "openai/clip-vit-base-patch32"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True, help="your student id")
    parser.add_argument("--pdf", action="store_true", help="as the course asks; it is always a PDF")
    parser.add_argument("--data", type=Path, default=Path("hw3_data"), help="folder with p1_data, p2_data, p3_data")
    parser.add_argument("--decoder", type=Path, help="the given GPT-2; by default DATA/p2_data/decoder_model.bin")
    parser.add_argument("--runs", nargs="+", default=["p2_checkpoint"], help="folders of p2_train.py, the best first")
    parser.add_argument("--out", type=Path, help="by default hw3_<id>.pdf")
    asked = parser.parse_args()

    import report_parts as parts

    from showtell.coursework.booklet import Booklet

    clip = os.environ.get("SHOWTELL_CLIP", CLIP)
    lost = parts.out_of_reach(clip)
    runs = {Path(run).name: Path(run) for run in asked.runs}
    decoder = asked.decoder or asked.data / "p2_data" / "decoder_model.bin"
    out = asked.out or Path(f"hw3_{asked.id}.pdf")
    photos = asked.data / "p3_data" / "images"
    with Booklet(out) as book:
        book.title(f"DLCV homework 3, {asked.id}: problem 1, zero-shot classification with CLIP")
        if lost or not (asked.data / "p1_data").is_dir():
            book.text(lost or f"Not reached: there is no {asked.data / 'p1_data'}.")
        else:
            parts.problem_1(book, asked.data / "p1_data", clip)
        book.question("Why does CLIP do well here? How do the three prompts differ, and why?")
        book.title("Problem 2: PEFT on image captioning")
        captioner = parts.problem_2(book, runs, decoder, None if lost else clip)
        book.question("Why these settings? How do the ways of PEFT differ?")
        book.title("Problem 3: attention of the generated words")
        parts.sections.attention(book, captioner, parts.sections.thumbnails(photos, 5), layer=-1)
        book.title("The best and the worst pair by CLIPScore")
        if lost:
            book.text(lost)
        else:
            parts.pairs(book, next(iter(runs.values())), captioner)
        book.question("Is each caption reasonable? Does the attention lie where the words are?")
    print(f"written: {out}")


if __name__ == "__main__":
    run(main)
