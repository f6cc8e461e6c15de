"""Positions in front of the words that hold no word: their keys and values, or their vectors, are learnt.

Prefix tuning (arXiv:2101.00190) learns keys and values of every layer. Prompt tuning (arXiv:2104.08691) learns vectors
in the place of words' embeddings, and the layers make keys and values of them.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

SMALL = 0.02  # the deviation that GPT-2's own weights start with


class LearnedPrefix(nn.Module):
    """`length` keys and values for each layer.

    With `hidden`, they come from a small network (`length` vectors, a linear map to `hidden`, tanh, a linear map to all
    keys and values), which trains more steadily and has more parameters.
    """

    def __init__(self, length: int, layers: int, heads: int, width: int, dim: int, hidden: int | None = None) -> None:
        super().__init__()
        self.length, self.shape = length, (length, layers, 2, heads, width)
        total = layers * 2 * heads * width
        self.vectors = nn.Parameter(torch.randn(length, total if hidden is None else dim) * SMALL)
        self.network = None
        if hidden is not None:
            self.network = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, total))

    def forward(self) -> list[tuple[Float[Tensor, "H P d"], Float[Tensor, "H P d"]]]:
        """Keys and values of every layer."""
        vectors = self.vectors if self.network is None else self.network(self.vectors)
        layers = vectors.view(self.shape).permute(1, 2, 3, 0, 4)  # P L 2 H d -> L 2 H P d
        return [(keys, values) for keys, values in layers]


class LearnedPrompt(nn.Module):
    """`length` vectors in front of the words' embeddings; they begin as the embeddings of random words."""

    def __init__(self, length: int, words: Float[Tensor, "V D"]) -> None:
        super().__init__()
        self.length = length
        chosen = torch.randint(len(words), (length,), device="cpu")
        self.vectors = nn.Parameter(words[chosen.to(words.device)].detach().float().clone())


Learned = LearnedPrefix | LearnedPrompt
