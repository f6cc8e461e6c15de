"""The course's checkpoints: `<modelsDir><modelName>last_epoch<N>.pt` and `best_epoch<N>.pt`, weights only."""

import importlib
import json
from pathlib import Path

import torch
from oslo_names import to_course, to_showtell

from showtell import checkpoint
from showtell.captioners.neural import Neural
from showtell.loading import load_folder
from showtell.plumbing.errors import InputError
from showtell.plumbing.weights import read_weights
from showtell.recipe.build import Parts, build
from showtell.training.log import read_log

NETWORKS = {4: "cocoSource_xcnnfused_attention"}


def place(param: dict, begin: str) -> tuple[Path, str]:
    """The course joins the texts: `storedModels/` and `model_0/` name a folder, `storedModels/` and `a` a begin."""
    folder, _, name = f"{param['modelsDir']}{param['modelName']}{begin}".rpartition("/")
    return Path(folder), name


def write_checkpoints(task: int, config: dict, param: dict, run: Path) -> list[Path]:
    """Epochs count from 0, as in the course. The optimizer begins anew if the course's trainer goes on."""
    where = json.loads((run / "last" / checkpoint.STATE).read_text("utf-8"))
    best = next((row["epoch"] for row in read_log(run) if row["step"] == where["best_step"] and "val_loss" in row), 0)
    states = {"last_epoch": (where["epoch"], run / "last"), "best_epoch": (best, run)}
    network = importlib.import_module(NETWORKS.get(task, "cocoSource_xcnnfused")).ImageCaptionModel(config)
    written = []
    for begin, (epoch, source) in states.items():
        folder, name = place(param, begin)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{name}*.pt"):
            old.unlink()
        network.load_state_dict(
            to_course(task, checkpoint.read_tensors(source / checkpoint.MODEL), config["vocabulary_size"])
        )
        optimizer = torch.optim.AdamW(network.parameters(), config["learningRate"]["lr"])
        content = {"epoch": max(0, epoch - 1), "model_state_dict": network.state_dict()}
        written.append(folder / f"{name}{max(0, epoch - 1)}.pt")
        torch.save(content | {"optimizer_state_dict": optimizer.state_dict()}, written[-1])
    return written


def read_best(task: int, param: dict, recipe: dict) -> Neural:
    folder, name = place(param, "best_epoch")
    files = sorted(folder.glob(f"{name}*.pt"))
    if not files:
        raise InputError("is missing", key=str(folder / f"{name}N.pt"), advice=f"run train_task{task}.py first")
    encoder, tokenizer = build(recipe, "regions"), build(recipe, "tokenizer")
    decoder = Parts(recipe, load_folder)("decoder", encoder, tokenizer)
    tensors = to_showtell(task, read_weights(files[-1], "checkpoint"), len(tokenizer))
    checkpoint.restore(encoder, decoder, tensors, str(files[-1]))
    decoder.eval()
    return Neural(encoder, decoder, tokenizer, recipe)
