"""python create_input_files.py --karpathy_json_path dataset_flickr8k.json --image_folder images --output_folder data

Leaves WORDMAP_*.json and, for TRAIN, VAL and TEST, *_IMAGES_*.hdf5, *_CAPTIONS_*.json and *_CAPLENS_*.json.
"""

import argparse

from showtell.cli.words import err, run
from showtell.data.hdf5 import create_input_files


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="flickr8k")
    parser.add_argument("--karpathy_json_path", default="flickr8k/dataset_flickr8k.json")
    parser.add_argument("--image_folder", default="flickr8k/images")
    parser.add_argument("--captions_per_image", type=int, default=5)
    parser.add_argument("--min_word_freq", type=int, default=5, help="a word must occur more often")
    parser.add_argument("--output_folder", default="data")
    parser.add_argument("--max_len", type=int, default=50, help="longer captions are skipped")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    base = create_input_files(**vars(args), console=err)
    print(f"written: {args.output_folder}/WORDMAP_{base}.json and the files beside it")


if __name__ == "__main__":
    run(main)
