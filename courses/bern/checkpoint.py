"""A training of Showtell's -> the course's model.pth.tar after each epoch."""

from pathlib import Path

import torch
from losses import write_losses
from report_utils.trained import model_of
from report_utils.vocabulary import Vocabulary

from showtell.plumbing.files import whole
from showtell.training.job import Job

FILE = "model.pth.tar"


class Saver:
    """Called after each epoch. `model_config` is the course's {name, parameters}."""

    def __init__(self, model_config: dict, recipe: dict, folder: Path, logs: Path | None) -> None:
        self.config, self.folder, self.logs, self.lr = model_config, folder, logs, recipe["train"]["lr"]
        vocabulary = Vocabulary(recipe["tokenizer"]["file"])
        self.model = model_of(model_config["name"])(vocabulary, **model_config["parameters"])
        self.model.measured.fill_(True)  # the training loop measures before its first step

    def __call__(self, job: Job, row: dict) -> None:
        captioner = job.captioner
        self.model.image_encoder, self.model.caption_generator = captioner.encoder, captioner.decoder
        optimizer = self.model.get_optimizer(self.lr)
        optimizer.state.update(job.optimizer.state)  # the same moments, in the order of the hand-out's optimizer
        epoch = max(job.where.epoch, 1)
        content = {"epoch": epoch, "model_config": self.config, "model_state_dict": self.model.state_dict()}
        with whole(self.folder / FILE) as part:
            torch.save(content | {"optimizer_state_dict": optimizer.state_dict()}, part)
        if "val_loss" in row:
            print(f"Epoch {epoch:02} | val | cross_entropy_loss: {row['val_loss']:.4f}")
        if self.logs is not None:
            write_losses(job.run, self.logs)
