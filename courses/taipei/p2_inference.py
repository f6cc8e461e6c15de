"""hw3_2.sh: photos of a folder -> {"stem of the file name": "caption"}."""

import os
import sys
from pathlib import Path

from showtell.coursework.script import console, leave, run_script

HERE = Path(__file__).resolve().parent


def main() -> None:
    if len(sys.argv) != 4:
        leave("usage: bash hw3_2.sh <photo folder> <out.json> <decoder weights>")
    photos, out, decoder = map(Path, sys.argv[1:])
    beside = HERE / "p2_checkpoint"
    folder = Path(os.environ.get("TAIPEI_CHECKPOINT", beside if beside.is_dir() else HERE))

    from p2_decoder import check_names

    from showtell.coursework.trained import read_trained
    from showtell.plumbing.device import device_of
    from showtell.plumbing.files import write_json
    from showtell.plumbing.messages import printable
    from showtell.predict.captions import caption_photos
    from showtell.predict.photos import find_photos

    check_names(decoder)
    captioner = read_trained(folder, [f"decoder.weights={decoder.resolve()}"]).to(device_of("auto"))
    captions = {}
    for image_id, result in caption_photos(captioner, find_photos([photos]), console=console):
        captions[Path(image_id).stem] = getattr(result, "text", "")
        if not hasattr(result, "text"):
            console.print(f"not read, so its caption is empty: {printable(image_id)}", markup=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, captions)


if __name__ == "__main__":
    run_script(main)
