"""A plain training loop with an optimizer and a criterion of your own, for notebooks. Runs have `loop.py`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import torch
from rich.console import Console
from torch import Tensor

from showtell.losses.cross_entropy import IGNORE
from showtell.plumbing.console import Plain
from showtell.plumbing.progress import Bar


class Model(Protocol):
    """A network whose `forward` takes a batch's entries by name and gives logits (B T V)."""

    def __call__(self, **batch: Tensor) -> Tensor: ...
    def train(self, mode: bool = True) -> Any: ...
    def to(self, device: Any) -> Any: ...


def targets(tokens: Tensor, mask: Tensor, ignored: int = IGNORE) -> Tensor:
    """The next word of each word, and `ignored` where there is none (B T).

    >>> targets(torch.tensor([[1, 5, 2, 0]]), torch.tensor([[True, True, True, False]])).tolist()
    [[5, 2, -100, -100]]
    """
    following = torch.roll(tokens, -1, dims=1).masked_fill(~torch.roll(mask, -1, dims=1), ignored)
    following[:, -1] = ignored
    return following


def fit(
    model: Model,
    batches: Iterable[Mapping[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    criterion: Callable[[Tensor, Tensor], Tensor],
    device: torch.device | str,
    epochs: int,
    console: Console | None = None,
) -> list[float]:
    """Train on batches with `tokens` and `mask`. Returns the mean loss of each epoch.

    `criterion` gets logits (words, V) and targets (words) with its `ignore_index` at padding: -100 in
    `nn.CrossEntropyLoss()`, and where it has none.
    """
    model.to(device)
    ignored = getattr(criterion, "ignore_index", IGNORE)
    means = []
    with Bar(console or Plain(stderr=True), "training", epochs, "epoch") as bar:
        for _ in range(epochs):
            model.train()
            losses = []
            for batch in batches:
                here = {name: part.to(device) for name, part in batch.items()}
                logits = model(**here)
                loss = criterion(logits.flatten(0, 1).float(), targets(here["tokens"], here["mask"], ignored).flatten())
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
            means.append(sum(losses) / max(1, len(losses)))
            bar.advance(1, loss=f"{means[-1]:.3f}")
    return means
