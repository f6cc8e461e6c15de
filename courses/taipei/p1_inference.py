"""hw3_1.sh: photos of a folder and id2label.json -> a CSV `filename,label`; labels are the keys of id2label.json."""

import argparse
import os

from showtell.cli import app
from showtell.cli.words import run

CLIP = "openai/clip-vit-base-patch32"


def main() -> None:
    parser = argparse.ArgumentParser(usage="bash hw3_1.sh <photo folder> <id2label.json> <out.csv>")
    for name in ("photos", "labels", "out"):
        parser.add_argument(name)
    asked = parser.parse_args()
    options = {"labels": asked.labels, "prompts": "photo", "model": os.environ.get("SHOWTELL_CLIP", CLIP)}
    app(["classify", asked.photos, f"--out={asked.out}", *(f"--{name}={value}" for name, value in options.items())])


if __name__ == "__main__":
    run(main)
