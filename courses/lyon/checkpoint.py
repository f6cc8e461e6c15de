"""A training of Showtell's -> the tutorial's checkpoints after each epoch; a checkpoint -> a captioner."""

from pathlib import Path

import torch

from showtell.captioners.neural import Neural
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole
from showtell.plumbing.weights import read_checkpoint
from showtell.recipe.build import build_encoder, build_neural
from showtell.tokenizers.word_map import WordMap
from showtell.training.job import Job

KEYS = ("epoch", "epochs_since_improvement", "bleu-4", "encoder", "decoder", "encoder_optimizer", "decoder_optimizer")


class Saver:
    """Called after each epoch. The seven keys are the tutorial's; `recipe` and `run` are ours."""

    def __init__(self, data_name: str, recipe: dict) -> None:
        self.data_name, self.recipe = data_name, recipe
        self.score = 0.0

    def __call__(self, job: Job, row: dict) -> None:
        self.score = row.get("BLEU-4", self.score)
        parts, optimizer = job.captioner, job.optimizer.state_dict()  # one optimizer trains both parts
        values = [max(job.where.epoch, 1) - 1, job.where.stale, self.score, parts.encoder.state_dict()]
        values += [parts.decoder.state_dict(), optimizer if parts.encoder.trains else None, optimizer]
        content = dict(zip(KEYS, values, strict=True)) | {"recipe": self.recipe, "run": str(job.run.resolve())}
        print(f" * BLEU-4 - {self.score}\n")
        name = f"checkpoint_{self.data_name}.pth.tar"
        for each in [name, f"BEST_{name}"] if job.where.stale == 0 else [name]:
            with whole(Path(each)) as part:
                torch.save(content, part)


def read(path: str, key: str) -> dict:
    """The checkpoint. Raises InputError if it is damaged, pickles modules, or is not of our train.py."""
    content = read_checkpoint(Path(path), key)
    if missing := [name for name in (*KEYS, "recipe") if name not in content]:
        raise InputError(f"is {path}, which has no {missing[0]!r}", key=key, value=path, advice="train with train.py")
    return content


def captioner_of(path: str, word_map: str) -> Neural:
    """The captioner of a checkpoint, with the words of a WORDMAP_*.json."""
    content = read(path, "--model")
    recipe, words = content["recipe"], WordMap(file=word_map)
    if recipe["encoder"]["name"] == "timm":
        recipe["encoder"]["weights"] = "random"  # the checkpoint has them all
    captioner = build_neural(recipe, build_encoder(recipe), words)
    try:
        for part, name in ((captioner.encoder, "encoder"), (captioner.decoder, "decoder")):
            part.load_state_dict(content[name])
            part.eval()
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()
        raise InputError(f"is {path}, which does not fit {word_map}: {reason}", key="--model", value=path) from None
    return captioner
