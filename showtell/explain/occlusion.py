"""Occlusion: how much a word's log-probability falls if one part of the photo is masked, part after part.

It needs no attention and no gradient (Zeiler and Fergus, arXiv:1311.2901). With 49 parts it asks 50 times: once with
the whole photo, and once without each part.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from showtell.explain.explanation import Parts


def occlusion(parts: Parts) -> Float[Tensor, "T N"]:
    """The map of each word: above 0 for a part that makes the word likelier, below 0 for one that speaks against it."""
    count = len(parts.boxes)
    if not parts.words:
        return torch.zeros(0, count)
    whole = torch.ones(1, count, dtype=torch.bool)
    log_probs = parts.log_probs(torch.cat([whole, ~torch.eye(count, dtype=torch.bool)]))
    return (log_probs[0] - log_probs[1:]).T
