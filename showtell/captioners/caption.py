"""What a captioner says of one image."""

from typing import NamedTuple


class Caption(NamedTuple):
    """`tokens` are the ids from bos to eos, a prompt included; `log_prob` sums over the words and eos.

    Some captioners have neither.
    """

    text: str
    tokens: list[int] | None = None
    log_prob: float | None = None
