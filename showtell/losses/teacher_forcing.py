"""How captions are read in training: the true words, or some of the captioner's own (scheduled sampling), in pieces.

Scheduled sampling (Bengio et al. 2015, arXiv:1506.03099): a coin for each next input, the true word or one drawn from
the captioner's own prediction; the coin moves towards its own words during training. Truncated backpropagation:
gradients do not pass from one piece of so many words to the piece before it.
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
    """k ** step, with the k that reaches `end`."""
    return end**done


def inverse_sigmoid(done: float, end: float) -> float:
    """k / (k + exp(step / k)) of a step from 0 to 100, with the k that reaches `end`; it begins at k / (k + 1)."""
    low, high = 1e-2, 1e6
    for _ in range(100):  # the share at the last step grows with k
        k = math.sqrt(low * high)
        low, high = (k, high) if _sigmoid(100, k) < end else (low, k)
    return _sigmoid(100 * done, k)


def _sigmoid(step: float, k: float) -> float:
    return 1 / (1 + math.exp(min(700.0, step / k) - math.log(k)))


# How likely the next input is the true word: `schedule(share of training done, where it ends)`.
SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "none": lambda done, end: 1.0,
    "linear": linear,
    "exponential": exponential,
    "inverse_sigmoid": inverse_sigmoid,
}


def read(
    decoder: Decoder,
    memory: Memory,
    state: State,
    tokens: Int[Tensor, "B K S"],
    *,
    truth: float = 1.0,
    piece: int | None = None,
    attention: bool = False,
    begin: int = 1,
) -> Output:
    """Logits, and attention if asked, of all words of captions.

    `truth` is how likely each input but the first `begin` is the true word; after every `piece` words gradients stop.
    """
    step = 1 if truth < 1 else piece or tokens.shape[-1]
    outputs: list[Output] = []
    for start in range(0, tokens.shape[-1], step):
        if piece is not None and start and start % piece == 0:
            state = {name: part.detach() for name, part in state.items()}
        said = tokens[..., start : start + step]
        if truth < 1 and start >= begin:
            said = _some_own(outputs[-1].logits, said, truth)
        outputs.append(decoder(memory, state, said, attention))
        state = outputs[-1].state
    logits = torch.cat([output.logits for output in outputs], dim=2)
    maps = [output.attention for output in outputs if output.attention is not None]
    return Output(logits, state, torch.cat(maps, dim=2) if maps else None)


def _some_own(logits: Float[Tensor, "B K S V"], words: Int[Tensor, "B K 1"], truth: float) -> Int[Tensor, "B K 1"]:
    """True words, some replaced by words drawn from the prediction before them."""
    probs = logits.detach().float().softmax(-1).flatten(0, 2)
    own = torch.multinomial(probs, 1).view(words.shape)
    return torch.where(torch.rand(words.shape, device=words.device) < truth, words, own)
