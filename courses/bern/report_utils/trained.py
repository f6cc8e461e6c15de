"""A model.pth.tar -> its model, of models/ in the same folder."""

from importlib import import_module
from pathlib import Path

import torch

from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.weights import read_checkpoint

from .vocabulary import Vocabulary

MODELS = [f"model_{number}" for number in range(1, 7)]


def model_of(name: str) -> type:
    """The class of models/NAME.py."""
    if name not in MODELS:
        raise RecipeError(key="model.name", value=name, takes=MODELS)
    return import_module(f"models.{name}").Model


def load_model(path: Path, vocabulary: Vocabulary, key: str = "--checkpoint-path") -> torch.nn.Module:
    """The model of a model.pth.tar, of ours or of the hand-out's train.py with our models."""
    content = read_checkpoint(path, key)
    model = model_of(content["model_config"]["name"])(vocabulary, **content["model_config"]["parameters"])
    try:
        model.load_state_dict(content["model_state_dict"])
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()
        raise InputError(f"is {path}, which does not fit: {reason}", key=key, value=str(path)) from None
    return model.eval()
