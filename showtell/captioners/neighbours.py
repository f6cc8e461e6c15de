"""k-nearest-neighbour captioning: photos as vectors, with their captions -> the caption of another photo. No training.

Devlin et al. 2015 (arXiv:1505.04467): the candidates are the reference captions of the k nearest photos. The result is
the candidate with the highest mean CIDEr-D against the other candidates; document frequencies come from all photos. Of
`a dog runs`, `a dog is running` and `two cats`, it is one of the first two.

Unusual: vectors have unit length in fp16 and are multiplied in fp64, which sums such products without rounding. So a
photo has the same neighbours in every batch. Of equal candidates, the first is taken.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from rich.console import Console
from torch import Tensor
from torch.nn.functional import normalize

from showtell.metrics.cider import CiderD, Floats
from showtell.metrics.ngrams import Ints
from showtell.metrics.tokenize import tokenize
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.progress import Bar
from showtell.settings.bounds import Count

HELD_OUT = 10  # one of 10 photos is held out to choose k
EQUAL = 9  # scores that are equal to 9 digits count as equal; smaller differences are rounding


class Neighbours:
    """`Neighbours(k=5).fit(vectors, captions).describe(others)`."""

    def __init__(
        self,
        *,
        k: Count | None = None,
        choices: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40),
        scale: Literal["none", "centre", "standardise"] = "standardise",
    ) -> None:
        self.k, self.choices, self.scale = k, choices, scale
        self.tried: dict[int, float] = {}  # k -> CIDEr-D on the held-out photos

    def fit(
        self, vectors: Tensor, captions: Sequence[Sequence[str]], seed: int = 0, console: Console | None = None
    ) -> "Neighbours":
        """Keep the vectors (M D) and their photos' captions. If k is None, choose it on held-out photos."""
        if self.k is None:
            self.k = self._choose(vectors, captions, seed, console)
        if self.k > len(captions):
            takes = f"at most {len(captions)}, the number of training photos"
            raise InputError(key="captioner.k", value=self.k, takes=takes)
        centre = torch.zeros_like(vectors[0]) if self.scale == "none" else vectors.mean(0)
        deviation = vectors.std(0, correction=0).clamp(min=1e-6) if self.scale == "standardise" else centre * 0 + 1
        self.centre, self.deviation = centre, deviation
        self._keep(self._unit(vectors), captions)
        return self

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What `restore` needs: tensors for safetensors, and values for JSON."""
        tensors = {"vectors": self.vectors, "centre": self.centre, "deviation": self.deviation}
        return tensors, {"k": self.k, "tried": self.tried, "captions": self.captions}

    def restore(self, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> "Neighbours":
        self.k, self.tried = rest["k"], {int(k): value for k, value in rest["tried"].items()}
        self.centre, self.deviation = tensors["centre"], tensors["deviation"]
        self._keep(tensors["vectors"], rest["captions"])
        return self

    def describe(self, vectors: Tensor) -> list[str]:
        """One caption for each vector (B D)."""
        assert self.k is not None
        return [self.flat[self._consensus(photos, [self.k])[0]] for photos in self.nearest(vectors, self.k)]

    def nearest(self, vectors: Tensor, k: int) -> Ints:
        """The indices of the k photos nearest to each vector, nearest first: (B D) -> (B k)."""
        cosines = self._unit(vectors).double() @ self.vectors.double().T
        return np.argsort(-cosines.numpy(), axis=1, kind="stable")[:, :k]

    def _keep(self, vectors: Tensor, captions: Sequence[Sequence[str]]) -> None:
        self.vectors, self.captions = vectors, [list(of_photo) for of_photo in captions]
        self.flat = [text for of_photo in self.captions for text in of_photo]
        self.tokenized = [[tokenize(text) for text in of_photo] for of_photo in self.captions]
        self.many = np.array([len(of_photo) for of_photo in captions])
        self.first = np.cumsum(self.many) - self.many
        self.cider = CiderD(self.tokenized)

    def _unit(self, vectors: Tensor) -> Tensor:
        return normalize((vectors.float().cpu() - self.centre) / self.deviation, dim=-1).half()

    def _consensus(self, photos: Ints, counts: Sequence[int]) -> list[int]:
        """For each k of `counts`, the index of the best candidate among the captions of the first k photos."""
        places = np.concatenate([np.arange(self.first[p], self.first[p] + self.many[p]) for p in photos])
        scores, ends = self.cider.alike(places), np.cumsum(self.many[photos])
        return [int(places[_centre_of(scores[:end, :end])]) for end in (ends[count - 1] for count in counts)]

    def _choose(self, vectors: Tensor, captions: Sequence[Sequence[str]], seed: int, console: Console | None) -> int:
        """The k of `choices` whose captions of held-out photos have the highest CIDEr-D; of equals, the smallest k."""
        order = torch.randperm(len(captions), generator=torch.Generator().manual_seed(seed)).tolist()
        out, kept = order[: max(len(order) // HELD_OUT, 1)], sorted(order[max(len(order) // HELD_OUT, 1) :])
        counts = sorted({k for k in self.choices if k <= len(kept)})
        if not counts:
            return 1
        others = Neighbours(k=counts[-1], scale=self.scale).fit(vectors[kept], [captions[i] for i in kept])
        chosen: dict[int, list[str]] = {k: [] for k in counts}
        with Bar(console or Plain(), "choosing k", len(out), "photo", show=console is not None) as bar:
            for photos in others.nearest(vectors[out], counts[-1]):
                for k, place in zip(counts, others._consensus(photos, counts), strict=True):
                    chosen[k].append(tokenize(others.flat[place]))
                bar.advance()
        judge = CiderD([[tokenize(text) for text in captions[i]] for i in out], frequencies_of=others.tokenized)
        self.tried = {k: round(float(judge.scores(chosen[k]).mean()), 6) for k in counts}
        return max(counts, key=lambda k: self.tried[k])


def _centre_of(scores: Floats) -> int:
    """The index of the candidate with the highest mean score against the others (m m)."""
    return int(np.argmax(np.round((scores.sum(1) - scores.diagonal()) / max(len(scores) - 1, 1), EQUAL)))
