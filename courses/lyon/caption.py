"""python caption.py --img photo.jpeg --model BEST_checkpoint_NAME.pth.tar --word_map WORDMAP_NAME.json --beam_size=5

Prints the caption, and leaves a picture in the working folder: where the model looked for each word.
"""

import argparse
from pathlib import Path

from captioner import captioner_of
from PIL import Image

from showtell.cli.words import run
from showtell.data.images import open_image
from showtell.explain.explain import explain
from showtell.plumbing.files import whole
from showtell.report.figures import png
from showtell.report.strip import attention_figure

SIDE = 256  # the photo is stretched as in create_input_files


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--img", "-i", required=True, help="the photo")
    parser.add_argument("--model", "-m", required=True, help="a checkpoint of train.py")
    parser.add_argument("--word_map", "-wm", required=True, help="the WORDMAP_*.json")
    parser.add_argument("--beam_size", "-b", default=5, type=int, help="5 by default")
    parser.add_argument("--dont_smooth", dest="smooth", action="store_false", help="draw the cells with hard edges")
    parser.add_argument("recipe", nargs="*", metavar="key=value", help="of decoding, for example decode.max_length=20")
    return parser.parse_intermixed_args()


def main() -> None:
    args = arguments()
    captioner = captioner_of(args.model, args.word_map, args.recipe)
    photo = open_image(args.img)
    seen = photo.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    explanation = explain(captioner, seen, how="attention", num_beams=args.beam_size)
    picture = Path(f"{Path(args.img).stem}_attention.png")
    with whole(picture) as part:
        part.write_bytes(png(attention_figure(photo, explanation, smooth=args.smooth)))
    print(f"written: {picture}")
    print(explanation.text)


if __name__ == "__main__":
    run(main)
