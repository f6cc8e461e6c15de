"""python train.py -d 0 --config-file-path=configs/config_model_6.yaml --experiment-name=model_6 --num-epochs=10

Leaves checkpoints/NAME/{config.yaml,model.pth.tar} and logs/NAME/. `key=value` at the end changes Showtell's recipe.
"""

import argparse
import shutil
from contextlib import nullcontext
from pathlib import Path

import torch
from checkpoint import Saver
from experiment import begun, resumed

import showtell
from showtell.cli.words import err, run
from showtell.plumbing.files import set_aside


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-d", "--device-id", type=int, required=True, help="number of the GPU; without one, the CPU")
    parser.add_argument("--config-file-path", default="./configs/config.yaml")
    parser.add_argument("--experiment-name", required=True)
    parser.add_argument("--num-epochs", type=int, required=True, help="with --resume: so many more")
    parser.add_argument("--num-workers", type=int, default=8, help="has no effect: every photo is read once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-log", action="store_true", help="leave no logs/NAME")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    parser.add_argument("--checkpoint-dir", default="./checkpoints")
    parser.add_argument("--log-dir", default="./logs")
    parser.add_argument("recipe", nargs="*", metavar="key=value", help="for example encoder=lite train.max_steps=5")
    return parser.parse_intermixed_args()


def main(args: argparse.Namespace) -> None:
    folder, logs = Path(args.checkpoint_dir, args.experiment_name), Path(args.log_dir, args.experiment_name)
    own = Path(args.checkpoint_dir, ".showtell", args.experiment_name)  # Showtell's run, from which --resume continues
    device = f"cuda:{args.device_id}" if torch.cuda.is_available() else "cpu"
    if args.resume:
        recipe, model = resumed(own, folder, args.num_epochs, [*args.recipe, f"train.device={device}"])
    else:
        train = {"epochs": args.num_epochs, "seed": args.seed, "device": device}
        recipe, model = begun(Path(args.config_file_path), args.recipe, **train)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(args.config_file_path, folder / "config.yaml")
    if not args.no_log:
        logs.mkdir(parents=True, exist_ok=True)
    saver = Saver(model, recipe, folder, None if args.no_log else logs)
    with nullcontext() if args.resume else set_aside(own):
        showtell.train(recipe, own, args.resume, err, after_epoch=saver)


if __name__ == "__main__":
    run(lambda: main(arguments()))
