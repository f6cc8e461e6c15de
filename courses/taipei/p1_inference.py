"""hw3_1.sh: photos of a folder and id2label.json -> a CSV `filename,label`; labels are the keys of id2label.json."""

import os
import sys
from pathlib import Path

from showtell.coursework.script import leave, run_script

CLIP = "openai/clip-vit-base-patch32"


def main() -> None:
    if len(sys.argv) != 4:
        leave("usage: bash hw3_1.sh <photo folder> <id2label.json> <out.csv>")
    photos, labels, out = sys.argv[1:]

    from showtell.cli.captioning import classify

    model = os.environ.get("SHOWTELL_CLIP", CLIP)
    classify([photos], labels=labels, prompts="photo", model=model, output=Path(out))


if __name__ == "__main__":
    run_script(main)
