"""What a captioner says of one image."""

from typing import NamedTuple


class Caption(NamedTuple):
    """`tokens` are the ids from bos to eos and `log_prob` the sum over them, where a captioner has such things."""

    text: str
    tokens: list[int] | None = None
    log_prob: float | None = None
