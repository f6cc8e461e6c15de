"""Where the trainable parameters are, and an error before training if there are too many of them."""

import re

from rich.console import Console
from rich.table import Table
from torch import nn

from showtell.captioners.neural import Neural
from showtell.plumbing.errors import RecipeError


def trainable_parts(captioner: Neural) -> dict[str, tuple[int, int]]:
    """Part -> (parameters that train, all parameters). Layers of one kind are one part: `decoder.blocks.*.mlp`.

    A tied weight counts once.
    """
    parts: dict[str, tuple[int, int]] = {}
    modules: dict[str, nn.Module] = {"encoder": captioner.encoder, "decoder": captioner.decoder}
    for kind, module in modules.items():
        for name, parameter in module.named_parameters():
            part = _part(f"{kind}.{name}")
            trains, total = parts.get(part, (0, 0))
            count = parameter.numel()
            parts[part] = (trains + count * parameter.requires_grad, total + count)
    return parts


def _part(name: str) -> str:
    """
    >>> _part("decoder.blocks.11.self_attention.qkv.lora.down"), _part("decoder.words.weight")
    ('decoder.blocks.*.self_attention.qkv.lora', 'decoder.words')
    >>> _part("decoder.visual.network.0.weight")
    'decoder.visual.network.*'
    """
    return re.sub(r"\.\d+(?=\.|$)", ".*", name.rpartition(".")[0])


def check_budget(captioner: Neural, limit: int | None, console: Console) -> None:
    """Raise RecipeError, after a table of the parts, if more than `limit` parameters train."""
    parts = trainable_parts(captioner)
    trains = sum(count for count, _ in parts.values())
    if not trains:
        raise RecipeError("leaves nothing to train", key="peft.name", takes="another way, or peft.trainable")
    if limit is None or trains <= limit:
        return
    table = Table("part", "trains", "of", title=f"{trains:,} parameters train; train.max_trainable is {limit:,}")
    for part, (count, total) in sorted(parts.items(), key=lambda item: -item[1][0]):
        if count:
            table.add_row(part, f"{count:,}", f"{total:,}")
    console.print(table)
    wrong = f"is {limit:,}, and {trains:,} parameters train"
    advice = "train less: peft.name, peft.rank, peft.width, decoder.cross_dim, or a smaller map"
    raise RecipeError(wrong, key="train.max_trainable", value=limit, advice=advice)
