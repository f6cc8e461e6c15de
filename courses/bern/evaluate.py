"""python evaluate.py -d 0 --checkpoint-path=checkpoints/model_6/model.pth.tar

Captions the validation photos and writes bleu_scores.txt beside the checkpoint.
"""

import argparse
from pathlib import Path

import torch
from report_utils.pixels import normalised
from report_utils.trained import load_model
from report_utils.vocabulary import Vocabulary
from rich.console import Console

from showtell.cli.words import run
from showtell.metrics.bleu_nltk import bleu_of_ids
from showtell.plumbing.files import write_text
from showtell.plumbing.progress import Bar
from showtell.settings.text import override
from showtell.tokenizers.bern import read_column


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-d", "--device-id", type=int, required=True, help="number of the GPU; without one, the CPU")
    parser.add_argument("--checkpoint-path", required=True)
    parser.add_argument("--vocabulary-captions-file-path", default="./flickr8k/vocabulary_captions.txt")
    parser.add_argument("--val-images-folder-path", default="./flickr8k/val_images")
    parser.add_argument("--val-captions-file-path", default="./flickr8k/val_captions.txt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("recipe", nargs="*", metavar="key=value", help="of decoding, for example decode.num_beams=1")
    return parser.parse_intermixed_args()


def main(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    device = f"cuda:{args.device_id}" if torch.cuda.is_available() else "cpu"
    words = Vocabulary(args.vocabulary_captions_file_path)
    model = load_model(Path(args.checkpoint_path), words).to(device)
    model.search = override({"decode": model.search}, args.recipe)["decode"]
    captions = Path(args.val_captions_file_path)
    references: dict[str, list[list[int]]] = {}
    for name, text in zip(read_column(captions, number=0), read_column(captions, number=1), strict=True):
        references.setdefault(name, []).append(words.to_indices(text)[1:-1])
    candidates = []
    with Bar(Console(stderr=True), "captioning", len(references), "photo") as bar:
        for name in references:
            image = normalised(Path(args.val_images_folder_path, name)).to(device)
            candidates.append([words.to_index(word) for word in model.generate_image_caption_tokens(image=image)])
            bar.advance()
    scores = bleu_of_ids(candidates, list(references.values()))
    lines = "".join(f"BLEU_{n} {value!r}\n" for n, value in scores.items())
    write_text(Path(args.checkpoint_path).parent / "bleu_scores.txt", lines)
    print(lines, end="")


if __name__ == "__main__":
    run(lambda: main(arguments()))
