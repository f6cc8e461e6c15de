"""The course's two dictionaries -> a recipe of Showtell (`showtell recipes oslo-1`)."""

import sys
from pathlib import Path

import showtell
from showtell.plumbing.errors import RecipeError

CELLS = {"RNN": "oslo_rnn", "GRU": "oslo_gru", "LSTM": "oslo_lstm"}


def recipe_of(task: int, config: dict, param: dict) -> dict:
    """`config` and `param` are the course's `config` and `modelParam`. Words of the command line change the recipe."""
    if config["optimizer"] != "adamW":
        raise RecipeError(key="config['optimizer']", value=config["optimizer"], takes="'adamW' in these scripts")
    data, stub = Path(param["data_dir"]).expanduser().resolve(), config["featurepathstub"]
    options = {
        "data": "photo_pickles",
        "data.root": data,
        "data.stub": stub,
        "regions": "precomputed",
        "regions.file": f"{data}/*2017_{stub}",
        "tokenizer": "listed",
        "tokenizer.file": data / "vocabulary" / "vocabulary.pickle",
        "tokenizer.max_words": config["vocabulary_size"],
        "decoder.embedding_dim": config["embedding_size"],
        "decoder.dim": config["hidden_state_sizes"],
        "decoder.standardise": "false",
        "loss.truncate": config["truncated_backprop_length"],
        "loss.carry_state": "false",
        "decode.max_length": 41,  # the start, and 40 words or fewer words and the end
        "train.epochs": param["numbOfEpochs"],
        "train.batch_size": param["batch_size"],
        "train.captions_per_image": 1,
        "train.lr": config["learningRate"]["lr"],
        "train.weight_decay": config["weight_decay"],
        "train.milestones": config["scheduler_milestones"] or [],
        "train.gamma": config["scheduler_factor"] or 1,
        "train.select": "METEOR-ids",
        "train.device": f"cuda:{param['cuda']['device_idx']}" if param["cuda"]["use_cuda"] else "cpu",
    }
    if task < 4:
        options |= {"decoder.cell": CELLS[config["cellType"]], "decoder.layers": config["num_rnn_layers"]}
    if param["cuda"]["use_cuda"] and not has_cuda():
        options["train.device"] = "auto"
    return showtell.load_recipe(f"oslo-{task}", [f"{key}={value}" for key, value in options.items()] + sys.argv[1:])


def has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
