"""python eval.py --model BEST_checkpoint_NAME.pth.tar --data_folder data [--beam_size 5]

BLEU-1 to BLEU-4 of the captions of the TEST photos: nltk's corpus BLEU on the ids, as the tutorial computes it.
"""

import argparse
import sys
from pathlib import Path

from checkpoint import captioner_of, read

from showtell.cli.words import err, run
from showtell.data.hdf5 import hdf5
from showtell.metrics.bleu_nltk import bleu_of_ids
from showtell.predict.captions import caption_records
from showtell.tokenizers.captions import words_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", "-m", required=True)
    parser.add_argument("--data_folder", default="data")
    parser.add_argument("--beam_size", "-b", default=5, type=int)
    parser.add_argument("--split", default="test", choices=("train", "val", "test"))
    args = parser.parse_args()
    base = read(args.model, "--model")["recipe"]["data"]["base"]
    records = [record for record in hdf5(root=Path(args.data_folder), base=base) if record.split == args.split]
    captioner = captioner_of(args.model, str(Path(args.data_folder, f"WORDMAP_{base}.json")))
    captioner.decode = {**captioner.decode, "num_beams": args.beam_size}
    records, captions = caption_records(captioner, records, console=err)
    special, encode = captioner.tokenizer.special, captioner.tokenizer.encode
    candidates = [words_of(captions[record.image_id].tokens, special) for record in records]
    references = [[encode(text) for text in record.references] for record in records]
    for n, value in bleu_of_ids(candidates, references).items():
        print(f"BLEU-{n} score @ beam size of {args.beam_size} is {value:.4f}.")


if __name__ == "__main__":
    sys.exit(run(main))
