"""How a cosine becomes a CLIPScore: conventions with different scales, text prefixes and clamping.

For a cosine of 0.3, `paper` gives 2.5 * 0.3 = 0.75, and `torchmetrics` gives 100 * 0.3 = 30.
"""

from typing import Literal, NamedTuple

Name = Literal["paper", "taipei", "torchmetrics"]


class Protocol(NamedTuple):
    """The score is `weight` * cosine(photo, `prefix` + caption); negative values become 0."""

    weight: float
    prefix: str
    each: bool  # True: every negative cosine becomes 0; False: only a negative mean over all images does
    references: bool  # True if the convention also defines RefCLIPScore


PROTOCOLS: dict[str, Protocol] = {
    "paper": Protocol(2.5, "A photo depicts ", each=True, references=True),  # Hessel et al. 2021, arXiv:2104.08718
    "taipei": Protocol(2.5, "", each=True, references=True),
    "torchmetrics": Protocol(100.0, "", each=False, references=False),
}
