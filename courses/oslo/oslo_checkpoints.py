"""The course's checkpoints: `<modelsDir><modelName>last_epoch<N>.pt` and `best_epoch<N>.pt`, weights only."""

import importlib

import torch
from oslo_files import checkpoints, place
from oslo_names import to_course, to_showtell

from showtell import checkpoint
from showtell.captioners.neural import Neural
from showtell.loading import load_folder
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole
from showtell.plumbing.weights import read_weights
from showtell.recipe.build import Parts, build
from showtell.training.job import Job

NETWORKS = {4: "cocoSource_xcnnfused_attention"}


def write_checkpoints(task: int, config: dict, param: dict, job: Job) -> None:
    """The weights of this epoch, also as the best if they are. Epochs count from 0, as in the course.

    The optimizer begins anew if the course's trainer goes on.
    """
    network = importlib.import_module(NETWORKS.get(task, "cocoSource_xcnnfused")).ImageCaptionModel(config)
    with job.average.in_place():
        weights = checkpoint.weights(job.captioner.encoder, job.captioner.decoder)
        network.load_state_dict(to_course(task, weights, config["vocabulary_size"]))
    optimizer = torch.optim.AdamW(network.parameters(), config["learningRate"]["lr"])
    epoch = max(0, job.where.epoch - 1)
    content = {"epoch": epoch, "model_state_dict": network.state_dict(), "optimizer_state_dict": optimizer.state_dict()}
    for begin in ["last_epoch", "best_epoch"] if job.where.stale == 0 else ["last_epoch"]:
        folder, name = place(param, begin)
        folder.mkdir(parents=True, exist_ok=True)
        with whole(folder / f"{name}{epoch}.pt") as part:
            torch.save(content, part)
        for old in folder.glob(f"{name}*.pt"):
            if old.name != f"{name}{epoch}.pt":
                old.unlink()


def read_best(task: int, param: dict, recipe: dict) -> Neural:
    files = checkpoints(param, "best_epoch")
    if not files:
        folder, name = place(param, "best_epoch")
        raise InputError("is missing", key=str(folder / f"{name}N.pt"), advice=f"run train_task{task}.py first")
    encoder, tokenizer = build(recipe, "regions"), build(recipe, "tokenizer")
    decoder = Parts(recipe, load_folder)("decoder", encoder, tokenizer)
    tensors = to_showtell(task, read_weights(files[-1], "checkpoint"), len(tokenizer))
    checkpoint.restore(encoder, decoder, tensors, str(files[-1]))
    decoder.eval()
    return Neural(encoder, decoder, tokenizer, recipe)
