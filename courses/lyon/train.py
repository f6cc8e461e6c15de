"""python train.py [--data_folder data --data_name flickr8k_5_cap_per_img_5_min_word_freq --epochs 120]

The flags are the constants of the tutorial's train.py. Leaves checkpoint_NAME.pth.tar and BEST_checkpoint_NAME.pth.tar
in the working folder. `key=value` at the end changes Showtell's recipe `lyon`, for example encoder=lite.
"""

import argparse
from contextlib import nullcontext
from pathlib import Path

from checkpoint import Saver, read
from going_on import Stage, next_stage
from options import NUMBERS, number, recipe_of, truth

import showtell
from showtell.cli.words import err, run
from showtell.plumbing.files import set_aside


def flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_folder", default="data", help="folder with the files of create_input_files.py")
    parser.add_argument("--data_name", default="flickr8k_5_cap_per_img_5_min_word_freq", help="their common name")
    for name, value in NUMBERS.items():
        parser.add_argument(f"--{name}", type=number(value), default=value)
    parser.add_argument("--fine_tune_encoder", type=truth, nargs="?", const=True, default=False, metavar="True|False")
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="continue this training up to --epochs; other flags change it"
    )
    parser.add_argument("recipe", nargs="*", metavar="key=value")
    return parser


def main() -> None:
    args = flags().parse_intermixed_args()
    if args.checkpoint in (None, "None"):
        stage = Stage(recipe_of(args), Path(f".showtell_{args.data_name}"), False, 0)
    else:
        usual = flags().parse_args(["--data_folder", args.data_folder, "--data_name", args.data_name])
        stage = next_stage(args, usual, read(args.checkpoint, "--checkpoint"))
    with nullcontext() if stage.resume else set_aside(stage.run):
        saver = Saver(args.data_name, stage.recipe, stage.began)
        showtell.train(stage.recipe, stage.run, stage.resume, err, after_epoch=saver)


if __name__ == "__main__":
    run(main)
