"""A run -> one file with only the weights that trained, as courses with a budget of parameters want it; and back.

`NAME.pth` is a flat dict name -> tensor, so that a teacher counts the parameters with a sum of `numel`. What else the
captioner needs stands beside it: `recipe.yaml`, the tokenizer, and `buffers.safetensors` (for example the mean of each
channel). Frozen pretrained weights come from their own files.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from showtell import checkpoint
from showtell.captioners.neural import Neural
from showtell.loading import load_folder
from showtell.plumbing.errors import InputError
from showtell.plumbing.weights import read_weights
from showtell.recipe.build import Parts
from showtell.recipe.check import check
from showtell.settings.text import override
from showtell.tokenizers import TOKENIZERS

BUFFERS = "buffers.safetensors"
KEY = "checkpoint"


def write_trained(run: Path, file: Path) -> int:
    """Write the trained weights of a run into `file`, and the other tensors beside it. Returns how many parameters."""
    tensors = checkpoint.read_tensors(run / checkpoint.MODEL)
    captioner = _built(run, ())
    trained: dict[str, Tensor] = {}
    for part, module in {"encoder": captioner.encoder, "decoder": captioner.decoder}.items():
        names = (f"{part}.{name}" for name, parameter in module.named_parameters() if parameter.requires_grad)
        trained |= {name: tensors[name] for name in names if name in tensors}
    others = {name: tensor for name, tensor in tensors.items() if name not in trained}
    checkpoint.write_tensors(run / BUFFERS, others)
    torch.save(trained, file)
    return sum(tensor.numel() for tensor in trained.values())


def read_trained(folder: Path, moved: Sequence[str] = ()) -> Neural:
    """The captioner of the only .pth file in a folder. `moved` names files anew, such as `decoder.weights=FILE`."""
    files = sorted(folder.glob("*.pth")) if folder.is_dir() else []
    if len(files) != 1 or not (folder / checkpoint.RECIPE).is_file():
        wrong = f"has {len(files)} .pth files and {'a' if (folder / checkpoint.RECIPE).is_file() else 'no'} recipe.yaml"
        takes = "a folder with one .pth, recipe.yaml, tokenizer.json and buffers.safetensors, as training leaves it"
        raise InputError(wrong, key=str(folder), takes=takes)
    captioner = _built(folder, moved)
    tensors = read_weights(files[0], KEY)
    if (folder / BUFFERS).is_file():
        tensors |= checkpoint.read_tensors(folder / BUFFERS)
    checkpoint.restore(captioner.encoder, captioner.decoder, tensors, str(files[0]))
    captioner.encoder.eval()
    captioner.decoder.eval()
    return captioner


def _built(folder: Path, moved: Sequence[str]) -> Neural:
    recipe = check(override(checkpoint.read_recipe(folder), moved))
    tokenizer = TOKENIZERS[recipe["tokenizer"]["name"]].load(folder)
    build = Parts(recipe, load_folder)
    torch.manual_seed(recipe["train"]["seed"])
    encoder = build("encoder")
    return Neural(encoder, build("decoder", encoder, tokenizer), tokenizer, recipe)


def count(folder: Path) -> int:
    """How many parameters the .pth file of a folder holds."""
    (file,) = folder.glob("*.pth")
    return sum(tensor.numel() for tensor in read_weights(file, KEY).values())
