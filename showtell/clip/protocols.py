"""How a cosine becomes a CLIPScore: conventions that differ in scale, in what the text tower reads, and in clamping."""

from typing import Literal, NamedTuple

Name = Literal["paper", "taipei", "torchmetrics"]


class Protocol(NamedTuple):
    """`weight` times the cosine of the photo and `prefix` + caption."""

    weight: float
    prefix: str
    each: bool  # whether every negative cosine counts as 0, or only a negative mean does
    references: bool  # whether there is a RefCLIPScore of this scale


PROTOCOLS: dict[str, Protocol] = {
    "paper": Protocol(2.5, "A photo depicts ", each=True, references=True),  # Hessel et al. 2021, arXiv:2104.08718
    "taipei": Protocol(2.5, "", each=True, references=True),
    "torchmetrics": Protocol(100.0, "", each=False, references=False),
}
