"""Photos -> a table by method: do the places that the maps point at matter to their words more than random places?

For 10, 20, 30 and 50 % of the parts: how far a content word's log-probability falls if they are masked (deletion:
higher is better), and if only they are kept (insertion: lower is better; below 0, the word got likelier than with the
whole photo). All methods explain the same words of the same captions. So the bootstrap draws photos, and compares each
method with random places on the same draws.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from showtell.captioners.captioner import Captioner
from showtell.explain.deletion import chance, strongest
from showtell.explain.explain import METHODS, methods_for, parts_of
from showtell.explain.explanation import Parts
from showtell.explain.tokens import Tokens
from showtell.explain.truth import Hit, hits, things_in
from showtell.metrics.significance import LEVEL, RESAMPLES, added
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError, Unreadable
from showtell.plumbing.progress import Bar

SHARES = (0.1, 0.2, 0.3, 0.5)
RANDOM = "random"
LAST = "attention, last layer"
TESTS = ("deletion", "insertion")


class Against(NamedTuple):
    """A method's mean fall, and its difference from that of random places, with its 95 % interval and p.

    One photo has neither, because nothing varies.
    """

    fall: float
    difference: float
    interval: tuple[float, float] | None
    p: float | None


class Pointing(NamedTuple):
    """Shares of the things whose place is known: see `Hit`. The last is the mean share of a map that lies in them."""

    touches: float
    inside: float
    share: float


class Check(NamedTuple):
    """`table[method][test][share]`; `truth` is empty if no places are known, and `things` then 0."""

    photos: int
    words: int
    table: dict[str, dict[str, dict[float, Against]]]
    truth: dict[str, Pointing]
    things: int
    failed: dict[str, Unreadable]


def check(
    captioner: Captioner,
    photos: Mapping[str, Path],
    console: Console | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Check:
    """Caption the photos and measure every method that the captioner can do.

    Raises InputError if no caption has a content word.
    """
    measured: list[dict[str, NDArray[np.float64]]] = []
    found: dict[str, list[Hit]] = {}
    failed: dict[str, Unreadable] = {}
    with Bar(console or Plain(stderr=True), "checking", len(photos), "photo", show=console is not None) as bar:
        for image_id, path in photos.items():
            try:
                image = captioner.open(path)
            except Unreadable as error:
                failed[image_id] = error
            else:
                parts = parts_of(captioner, image)
                maps = all_maps(parts)
                if maps and (content := _content(parts)):
                    measured.append(_measure(parts, maps, content))
                    for name, hit in hits(parts, maps, things_in(path)).items():
                        found.setdefault(name, []).extend(hit)
            bar.advance()
    if not measured:
        raise InputError("no caption of these photos has a word that names something", advice="name other photos")
    words = int(sum(len(each[RANDOM]) for each in measured))
    truth = {name: Pointing(*np.mean(some, axis=0).tolist()) for name, some in found.items() if some}
    things = len(next(iter(found.values()), []))
    return Check(len(measured), words, _table(measured, resamples, seed), truth, things, failed)


def all_maps(parts: Parts) -> dict[str, Float[Tensor, "T N"]]:
    """The maps of every method that works here; nothing if the caption is empty."""
    if not parts.words:
        return {}
    maps = {}
    for name in methods_for(parts):
        maps[name] = METHODS[name](parts, None, None)
        layers = max(each.decoder.attention_layers for each in parts.attending) if isinstance(parts, Tokens) else 1
        if name == "attention" and layers > 1:
            maps[LAST] = METHODS[name](parts, -1, None)
    return maps


def _content(parts: Parts) -> list[int]:
    return [number for number, word in enumerate(parts.words) if word.names_something]


def _measure(
    parts: Parts, maps: Mapping[str, Float[Tensor, "T N"]], content: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """For each method the falls of the content words (words, tests x shares)."""
    count = len(parts.boxes)
    some = torch.tensor(content)
    masks = [strongest(each[some], share) for each in maps.values() for share in SHARES]  # W N each
    by_chance = [chance(count, share) for share in SHARES]
    both = [kept for mask in [*masks, *by_chance] for kept in (~mask, mask)]
    whole = torch.ones(1, count, dtype=torch.bool)
    log_probs = parts.log_probs(torch.cat([whole, *both]))[:, some]
    falls = (log_probs[0] - log_probs[1:]).split([len(kept) for kept in both])
    columns = [fall.diagonal() for fall in falls[: 2 * len(masks)]]
    columns += [fall.mean(0) for fall in falls[2 * len(masks) :]]
    width = 2 * len(SHARES)
    tables = [torch.stack(columns[at : at + width], dim=1) for at in range(0, len(columns), width)]
    return {name: table.double().numpy() for name, table in zip([*maps, RANDOM], tables, strict=True)}


def _table(
    measured: Sequence[Mapping[str, NDArray[np.float64]]], resamples: int, seed: int
) -> dict[str, dict[str, dict[float, Against]]]:
    names = list(measured[0])
    counts = np.array([[len(each[RANDOM])] for each in measured], dtype=np.float64)
    sums = {name: np.stack([each[name].sum(0) for each in measured]) for name in names}  # photos, figures
    drawn = added(np.hstack([counts, *sums.values()]), resamples, seed)
    width = sums[RANDOM].shape[1]
    means = {name: drawn[:, 1 + at * width :][:, :width] / drawn[:, :1] for at, name in enumerate(names)}
    table: dict[str, dict[str, dict[float, Against]]] = {}
    for name in names:
        table[name] = {test: {} for test in TESTS}
        for place, share in enumerate(SHARES):
            for which, test in enumerate(TESTS):
                column = 2 * place + which
                fall = sums[name][:, column].sum() / counts.sum()
                apart = fall - sums[RANDOM][:, column].sum() / counts.sum()
                spread = means[name][:, column] - means[RANDOM][:, column]
                differ = int(np.count_nonzero(sums[name][:, column] != sums[RANDOM][:, column]))
                table[name][test][share] = _against(float(fall), float(apart), spread, len(measured), differ)
    return table


def _against(fall: float, difference: float, spread: NDArray[np.float64], photos: int, differ: int) -> Against:
    """p is how often equal methods would differ as much: the draws, moved so that their mean is 0.

    It is at least 2^(1 - K) if K photos differ, which is how often K coins fall all alike.
    """
    if photos < 2:
        return Against(fall, difference, None, None)
    low, high = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    as_large = int(np.sum(np.abs(spread - spread.mean()) >= abs(difference)))
    p = max((as_large + 1) / (len(spread) + 1), min(1.0, 2.0 ** (1 - differ)))
    return Against(fall, difference, (float(low), float(high)), p)
