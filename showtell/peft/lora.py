"""LoRA (arXiv:2106.09685): a frozen weight W learns a change of low rank, W + scale B A.

Example: W of 768 x 768 has 589,824 numbers; A (8 x 768) and B (768 x 8) of rank 8 have 12,288. B starts at zero, so at
step 0 the model says what it said. `merge` adds the change into a copy of W, so that it costs nothing in decoding.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear as apply_linear

from showtell.decoders.decoder import Decoder
from showtell.decoders.language import Language
from showtell.layers.dropout import Dropout
from showtell.peft.freeze import Extended, freeze, replace
from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest
from showtell.settings.bounds import Positive, Share, Size


class Change(nn.Module):
    """B A x: to `rank` channels and back."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, inputs))
        self.up = nn.Parameter(torch.zeros(outputs, rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return apply_linear(apply_linear(x, self.down), self.up)


class LoRA(Extended):
    """A linear map under its own names, and its change as `lora`."""

    merged: Tensor | None

    def __init__(self, linear: nn.Module, rank: int, scale: float, dropout: float) -> None:
        super().__init__(linear)
        self.scale = scale
        self.lora = Change(self.in_features, self.out_features, rank)
        self.dropout = Dropout(dropout)
        self.register_buffer("merged", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.merged is not None:
            return apply_linear(x, self.merged, self.bias)
        return super().forward(x) + self.scale * self.lora(self.dropout(x))

    @torch.no_grad()
    def merge(self) -> None:
        """Compute with one matrix from now on. The frozen weight stays as it is, so `unmerge` is exact."""
        self.merged = (self.matrix + self.scale * (self.lora.up @ self.lora.down)).contiguous()

    def unmerge(self) -> None:
        self.merged = None

    def train(self, mode: bool = True) -> "LoRA":
        """Training needs weight and change apart; a merged matrix would stay as it was."""
        if mode:
            self.unmerge()
        return super().train(mode)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        self.unmerge()  # it is of the weights before
        super()._load_from_state_dict(*arguments)


def lora(
    decoder: Decoder,
    *,
    rank: Size = 8,
    alpha: Positive | None = None,
    dropout: Share = 0.0,
    targets: tuple[str, ...] = ("attention",),
    scaling: Literal["alpha/r", "alpha/sqrt(r)"] = "alpha/r",
    trainable: tuple[str, ...] = (),
) -> None:
    """`targets` are `attention` (queries, keys, values), `all` (every linear map of the layers), or names' endings.

    `alpha` is `rank` if null. `alpha/sqrt(r)` is rank-stabilised LoRA (arXiv:2312.03732).
    """
    language = freeze(decoder, trainable)
    scale = (alpha or rank) / (rank if scaling == "alpha/r" else rank**0.5)
    for name in _chosen(targets, language):
        replace(decoder, name, LoRA(decoder.get_submodule(name), rank, scale, dropout))


def _chosen(targets: Sequence[str], language: Language) -> list[str]:
    """The names of the linear maps that targets mean. Raises RecipeError for one that is tied or means nothing."""
    groups = {"attention": language.inputs, "all": language.linear}
    endings = sorted({name.rpartition(".")[2] for name in language.linear})
    chosen: dict[str, None] = {}
    for target in targets:
        if target.rpartition(".")[2] in language.tied:
            wrong = f"has {target!r}, which is tied: the table of words is read at both ends of the model"
            raise RecipeError(wrong, key="peft.targets", takes=[*groups, *endings])
        names = groups.get(target) or [name for name in language.linear if _ends(name, target)]
        if not names:
            near = nearest(target, [*groups, *endings])
            wrong = f"has {target!r}, which names no linear map"
            raise RecipeError(wrong, key="peft.targets", value=target, takes=[*groups, *endings], near=near)
        chosen |= dict.fromkeys(names)
    return list(chosen)


def _ends(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}") or fnmatchcase(name, target)


def merge(decoder: nn.Module) -> None:
    """Compute every LoRA of a decoder with one matrix from now on."""
    for module in decoder.modules():
        if isinstance(module, LoRA):
            module.merge()


def unmerge(decoder: nn.Module) -> None:
    """Compute weights and changes apart again, exactly as before `merge`."""
    for module in decoder.modules():
        if isinstance(module, LoRA):
            module.unmerge()
