"""How a decoder reads captions in training: teacher forcing, scheduled sampling, truncated backpropagation.

Teacher forcing feeds the true words. Scheduled sampling (Bengio et al. 2015, arXiv:1506.03099) feeds each true word
only with probability `truth`, which falls during training, and else a word sampled from the decoder's own prediction:
for `a dog runs` it may read `a cat runs`. Truncated backpropagation cuts a caption into pieces of some words; gradients
do not flow from one piece to the piece before.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from showtell.decoders.decoder import Decoder, Memory, Output, State


def linear(done: float, end: float) -> float:
    return 1 - (1 - end) * done


def exponential(done: float, end: float) -> float:
    """k ** step, with k such that the last step has `end`: halfway to 0.25 it is 0.5."""
    return end**done


def inverse_sigmoid(done: float, end: float) -> float:
    """k / (k + exp(step / k)) for steps 0 to 100, with k such that step 100 has `end`. It begins at k / (k + 1)."""
    low, high = 1e-2, 1e6
    for _ in range(100):  # bisection: the value at the last step grows with k
        k = math.sqrt(low * high)
        low, high = (k, high) if _sigmoid(100, k) < end else (low, k)
    return _sigmoid(100 * done, k)


def _sigmoid(step: float, k: float) -> float:
    return 1 / (1 + math.exp(min(700.0, step / k) - math.log(k)))


# The probability that the next input is the true word: `schedule(finished share of training, value at the end)`.
SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "none": lambda done, end: 1.0,
    "linear": linear,
    "exponential": exponential,
    "inverse_sigmoid": inverse_sigmoid,
}


def read_captions(
    decoder: Decoder,
    memory: Memory,
    state: State,
    tokens: Int[Tensor, "B K S"],
    *,
    truth: float = 1.0,
    piece: int | None = None,
    attention: bool = False,
    begin: int = 1,
    carry: bool = True,
) -> Output:
    """The logits of all words, and attention if asked.

    `truth` is the probability that an input is the true word; the first `begin` inputs always are. Gradients stop after
    every `piece` words. With `carry=False` each piece begins with the state of an empty caption: a caption of 60 words
    in pieces of 25 is read as three texts that know nothing of each other.
    """
    empty = state
    step = 1 if truth < 1 else piece or tokens.shape[-1]
    outputs: list[Output] = []
    for start in range(0, tokens.shape[-1], step):
        if piece is not None and start and start % piece == 0:
            state = {name: part.detach() for name, part in state.items()} if carry else empty
        inputs = tokens[..., start : start + step]
        if truth < 1 and start >= begin:
            inputs = _some_own(outputs[-1].logits, inputs, truth)
        outputs.append(decoder(memory, state, inputs, attention))
        state = outputs[-1].state
    logits = torch.cat([output.logits for output in outputs], dim=2)
    maps = [output.attention for output in outputs if output.attention is not None]
    return Output(logits, state, torch.cat(maps, dim=2) if maps else None)


def _some_own(logits: Float[Tensor, "B K S V"], words: Int[Tensor, "B K 1"], truth: float) -> Int[Tensor, "B K 1"]:
    """The true words, of which some are replaced with words sampled from the prediction for their place."""
    probs = logits.detach().float().softmax(-1).flatten(0, 2)
    own = torch.multinomial(probs, 1).view(words.shape)
    return torch.where(torch.rand(words.shape, device=words.device) < truth, words, own)
