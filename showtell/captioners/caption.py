"""A captioner's result for one image."""

from typing import NamedTuple


class Caption(NamedTuple):
    """`tokens` are the ids from bos to eos, with the prompt; `log_prob` adds up the words' and eos's log probabilities.

    Both are None if the captioner does not generate words, such as `nearest`. `others` are the next best captions of
    the image, if `decode.num_return_sequences` asks for more than one.
    """

    text: str
    tokens: list[int] | None = None
    log_prob: float | None = None
    others: "tuple[Caption, ...]" = ()
