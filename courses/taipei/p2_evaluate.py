"""Score captions: prints `CIDEr: x | CLIPScore: y`. The keys must be exactly the annotation's file names."""

import argparse
import json
import os
import sys
from pathlib import Path

from showtell.cli.words import err, run

CLIP = "openai/clip-vit-base-patch32"


def references(file: Path) -> dict[str, list[str]]:
    """File name without .jpg -> its captions."""
    content = json.loads(file.read_text("utf-8"))
    names = {image["id"]: image["file_name"].replace(".jpg", "") for image in content["images"]}
    known: dict[str, list[str]] = {}
    for each in content["annotations"]:
        known.setdefault(names[each["image_id"]], []).append(each["caption"])
    return known


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="SHOWTELL_CLIP names the CLIP; none: without CLIPScore"
    )
    parser.add_argument("--pred_file", required=True, help="{file name without .jpg: caption}")
    parser.add_argument("--images_root", default="p2_data/images/val/")
    parser.add_argument("--annotation_file", default="p2_data/val.json")
    asked = parser.parse_args()

    from showtell.clip import Clip
    from showtell.metrics.score import score

    said, known = json.loads(Path(asked.pred_file).read_text("utf-8")), references(Path(asked.annotation_file))
    if not isinstance(said, dict) or not all(isinstance(text, str) for text in said.values()):
        sys.exit(f"error: {asked.pred_file} is not {{name: caption}} with texts")
    if said.keys() != known.keys():
        wrong = sorted(said.keys() ^ known.keys())
        sys.exit(f"error: {len(wrong)} names are in only one of {asked.pred_file} and the annotations, as {wrong[0]}")
    name = os.environ.get("SHOWTELL_CLIP", CLIP)
    cider = score(said, known, "CIDEr-D", resamples=0)["CIDEr-D"].value
    fits = float("nan")
    if name != "none":
        photos = {key: Path(asked.images_root, f"{key}.jpg") for key in said}
        clip = Clip(name, "taipei", console=err)
        fits = score(said, known, "CLIPScore", resamples=0, photos=photos, clip=clip)["CLIPScore"].value
    print(f"CIDEr: {cider} | CLIPScore: {fits}")


if __name__ == "__main__":
    run(main)
