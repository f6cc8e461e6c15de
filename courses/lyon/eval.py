"""python eval.py --model BEST_checkpoint_NAME.pth.tar --data_folder data [--beam_size 5]

BLEU-1 to BLEU-4 of the captions of the TEST photos: nltk's corpus BLEU on the ids, as the tutorial computes it.
"""

import argparse
from pathlib import Path

from bleu import score_of
from captioner import captioner_of
from checkpoint import read

from showtell.cli.words import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", "-m", required=True)
    parser.add_argument("--data_folder", default="data")
    parser.add_argument("--beam_size", "-b", default=5, type=int)
    parser.add_argument("--split", default="test", choices=("train", "val", "test"))
    parser.add_argument("recipe", nargs="*", metavar="key=value", help="of decoding, for example decode.max_length=20")
    args = parser.parse_intermixed_args()
    base = read(args.model, "--model")["recipe"]["data"]["base"]
    captioner = captioner_of(args.model, str(Path(args.data_folder, f"WORDMAP_{base}.json")), args.recipe)
    scores = score_of(captioner, args.data_folder, base, args.split, args.beam_size)
    for n, value in scores.items():
        print(f"BLEU-{n} score @ beam size of {args.beam_size} is {value:.4f}.")


if __name__ == "__main__":
    run(main)
