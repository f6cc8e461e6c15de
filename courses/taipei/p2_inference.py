"""hw3_2.sh: photos of a folder -> {"stem of the file name": "caption"}."""

import argparse
import os
from pathlib import Path

from showtell.cli.words import err, run

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(usage="bash hw3_2.sh <photo folder> <out.json> <decoder weights> [key=value ..]")
    for name in ("photos", "out", "decoder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("recipe", nargs="*", metavar="key=value")
    asked = parser.parse_intermixed_args()
    beside = HERE / "p2_checkpoint"
    folder = Path(os.environ.get("TAIPEI_CHECKPOINT", beside if beside.is_dir() else HERE))

    from p2_decoder import moved

    from showtell.coursework.trained import read_trained
    from showtell.plumbing.device import device_of
    from showtell.plumbing.files import write_json
    from showtell.plumbing.messages import printable
    from showtell.predict.captions import caption_photos
    from showtell.predict.photos import find_photos

    captioner = read_trained(folder, [*moved(folder, asked.decoder), *asked.recipe]).to(device_of("auto"))
    captions = {}
    for image_id, result in caption_photos(captioner, find_photos([asked.photos]), console=err):
        captions[Path(image_id).stem] = getattr(result, "text", "")
        if not hasattr(result, "text"):
            err.print(f"not read, so its caption is empty: {printable(image_id)}", markup=False)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(asked.out, captions)


if __name__ == "__main__":
    run(main)
