"""Labels and prompts -> ways to put the question: each prompt alone, and all of them as an ensemble.

Example: the labels cat and dog with the prompts `a {}` and `the {}` give three ways:

    a {}        a cat           a dog
    the {}      the cat         the dog
    ensemble    a cat, the cat  a dog, the dog
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from showtell.zeroshot.labels import Labels
from showtell.zeroshot.prompts import fill

ENSEMBLE, OWN = "ensemble", "own texts"


class Way(NamedTuple):
    """For each label one text or more, whose mean counts."""

    name: str
    texts: tuple[tuple[str, ...], ...]


def ways_of(labels: Labels, prompts: Sequence[str]) -> list[Way]:
    """The last one gives the answer: the labels' own texts if they have any, or the ensemble, or the only prompt."""
    ways = [Way(prompt, tuple((fill(prompt, name),) for name in labels.names)) for prompt in prompts]
    if labels.texts is not None:
        return [*ways, Way(OWN, labels.texts)]
    if len(ways) > 1:
        every = tuple(tuple(fill(prompt, name) for prompt in prompts) for name in labels.names)
        ways.append(Way(ENSEMBLE, every))
    return ways


def shares_of(ways: Sequence[Way], texts: Sequence[str]) -> Float[Tensor, "W L M"]:
    """How much each of M texts counts for each label, asked each way: 1 over the number of the label's texts."""
    place = {text: row for row, text in enumerate(texts)}
    shares = torch.zeros(len(ways), len(ways[0].texts), len(texts))
    for number, way in enumerate(ways):
        for label, of_label in enumerate(way.texts):
            shares[number, label, [place[text] for text in of_label]] = 1 / len(of_label)
    return shares


def texts_of(ways: Sequence[Way]) -> list[str]:
    """Every text once."""
    return list(dict.fromkeys(text for way in ways for texts in way.texts for text in texts))
