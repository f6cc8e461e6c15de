"""The constants of the tutorial's train.py -> Showtell's recipe."""

import argparse
from collections.abc import Callable
from pathlib import Path

from showtell.recipe.check import check
from showtell.settings.text import load_recipe, override

NUMBERS = {"emb_dim": 512, "attention_dim": 512, "decoder_dim": 512, "dropout": 0.5, "start_epoch": 0, "epochs": 120}
NUMBERS |= {"batch_size": 32, "workers": 1, "encoder_lr": 1e-4, "decoder_lr": 4e-4, "grad_clip": 5.0, "alpha_c": 1.0}
NUMBERS |= {"print_freq": 100}
SEARCH = {"length_penalty": 0.0, "max_length": 52, "min_length": 2}  # <start>, 1 to 50 words, <end>
LAYERS_2_TO_4 = 3  # of timm's groups, as the tutorial fine-tunes
NO_CLIP = 1e30  # no gradient is larger
SIDE = 256  # of the photos in the HDF5 files
RATE = {"schedule": "plateau", "plateau": 8, "gamma": 0.8, "patience": 20, "warmup_steps": 0, "weight_decay": 0.0}


def truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is not True or False")
    return text.lower() == "true"


def number(usual: float) -> Callable[[str], float | None]:
    """Reads a flag: a number of the type of its usual value. `None` is none, as in the tutorial's grad_clip."""
    return lambda text: None if text == "None" else type(usual)(text)


def recipe_of(args: argparse.Namespace) -> dict:
    """The recipe for these constants."""
    recipe = load_recipe("lyon")
    data, tuned = Path(args.data_folder).resolve(), args.fine_tune_encoder
    recipe["data"] = {"name": "hdf5", "root": str(data), "base": args.data_name}
    recipe["tokenizer"] = {"name": "word_map", "file": str(data / f"WORDMAP_{args.data_name}.json")}
    recipe["encoder"] |= {"image_size": SIDE, "trainable": LAYERS_2_TO_4 if tuned else "none"}
    recipe["decoder"] |= {"embedding_dim": args.emb_dim, "attention_dim": args.attention_dim}
    recipe["decoder"] |= {"dim": args.decoder_dim, "dropout": args.dropout}
    recipe["decode"] |= SEARCH
    recipe["loss"] |= {"attend_all": args.alpha_c}
    train = {"epochs": args.epochs, "batch_size": args.batch_size, "lr": args.decoder_lr, "select": "BLEU-4"}
    train |= {"clip": args.grad_clip or NO_CLIP, "clip_by": "value"}
    train |= {"pretrained_lr": args.encoder_lr} if tuned else {}
    recipe["train"] = RATE | train
    return check(override(recipe, _with_size(args.recipe)))


def _with_size(words: list[str]) -> list[str]:
    """With `encoder=lite` the encoder still reads the photos at their own size, on 14 x 14 cells."""
    chosen = any(word.startswith(("encoder=", "encoder.name=")) for word in words)
    return [*([f"encoder.image_size={SIDE}", "encoder.grid_size=14"] if chosen else []), *words]
