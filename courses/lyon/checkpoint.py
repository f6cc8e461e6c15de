"""A training of Showtell's -> the tutorial's checkpoints after each epoch, and what a checkpoint holds."""

from pathlib import Path

import torch

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole
from showtell.plumbing.weights import read_checkpoint
from showtell.training.job import Job

KEYS = ("epoch", "epochs_since_improvement", "bleu-4", "encoder", "decoder", "encoder_optimizer", "decoder_optimizer")


class Saver:
    """Called after each epoch. The seven keys are the tutorial's; `recipe`, `run` and `began` are ours.

    `began` are the epochs before this run, from which `epoch` counts on.
    """

    def __init__(self, data_name: str, recipe: dict, began: int) -> None:
        self.data_name, self.recipe, self.began = data_name, recipe, began
        self.score = 0.0

    def __call__(self, job: Job, row: dict) -> None:
        self.score = row.get("BLEU-4", self.score)
        parts, optimizer = job.captioner, job.optimizer.state_dict()  # one optimizer trains both parts
        values = [self.began + max(job.where.epoch, 1) - 1, job.where.stale, self.score, parts.encoder.state_dict()]
        values += [parts.decoder.state_dict(), optimizer if parts.encoder.trains else None, optimizer]
        content = dict(zip(KEYS, values, strict=True)) | {
            "recipe": self.recipe,
            "run": job.run.name,
            "began": self.began,
        }
        print(f" * BLEU-4 - {self.score}\n")
        name = f"checkpoint_{self.data_name}.pth.tar"
        for each in [name, f"BEST_{name}"] if job.where.stale == 0 else [name]:
            with whole(Path(each)) as part:
                torch.save(content, part)


def read(path: str, key: str) -> dict:
    """The checkpoint. Raises InputError if it is damaged, pickles modules, or is not of our train.py."""
    content = read_checkpoint(Path(path), key)
    if missing := [name for name in (*KEYS, "recipe", "run", "began") if name not in content]:
        raise InputError(f"is {path}, which has no {missing[0]!r}", key=key, value=path, advice="train with train.py")
    return content
