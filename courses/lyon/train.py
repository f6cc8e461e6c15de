"""python train.py [--data_folder data --data_name flickr8k_5_cap_per_img_5_min_word_freq --epochs 120]

The flags are the constants of the tutorial's train.py. Leaves checkpoint_NAME.pth.tar and BEST_checkpoint_NAME.pth.tar
in the working folder. `key=value` at the end changes Showtell's recipe `lyon`, for example encoder=lite.
"""

import argparse
from contextlib import nullcontext
from pathlib import Path

from checkpoint import Saver, read
from options import NUMBERS, recipe_of, truth

import showtell
from showtell.cli.words import err, run
from showtell.plumbing.files import set_aside


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_folder", default="data", help="folder with the files of create_input_files.py")
    parser.add_argument("--data_name", default="flickr8k_5_cap_per_img_5_min_word_freq", help="their common name")
    for name, value in NUMBERS.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--fine_tune_encoder", type=truth, default=False, metavar="True|False")
    parser.add_argument("--checkpoint", metavar="FILE", help="continue the training of this checkpoint up to --epochs")
    parser.add_argument("recipe", nargs="*", metavar="key=value")
    return parser.parse_intermixed_args()


def main() -> None:
    args = arguments()
    own = (
        Path(f".showtell_{args.data_name}")
        if args.checkpoint is None
        else Path(read(args.checkpoint, "--checkpoint")["run"])
    )
    recipe = recipe_of(args, own if args.checkpoint else None)
    with nullcontext() if args.checkpoint else set_aside(own):
        showtell.train(recipe, own, args.checkpoint is not None, err, after_epoch=Saver(args.data_name, recipe))


if __name__ == "__main__":
    run(main)
