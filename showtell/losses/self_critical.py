"""Self-critical training (arXiv:1612.00563): sampled captions become likelier if their reward beats a baseline."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy as torch_cross_entropy

from showtell.clip import Clip
from showtell.decode import Decoded, greedy, sample
from showtell.decode.options import HIGHEST
from showtell.decoders.decoder import Decoder
from showtell.features import Features, Seen, first
from showtell.losses.cross_entropy import IGNORE, counted
from showtell.losses.loss import Learnt, Loss
from showtell.losses.reward import Reward, check_reward
from showtell.tokenizers.captions import Captions, Special

Baseline = Literal["mean", "greedy"]
Samples = Annotated[int, Field(ge=2, le=HIGHEST["num_return_sequences"])]
LENGTHS = ("max_length", "min_length", "no_repeat_ngram_size")  # options of `decode` that sampling uses too


def self_critical(
    decoder: Decoder,
    features: Features,
    special: Special,
    reward: Callable[[Decoded], Float[Tensor, "B R"]],
    samples: int,
    baseline: Baseline = "mean",
    **lengths: Any,
) -> tuple[Float[Tensor, ""], float]:
    """The sum of -advantage * log p(caption) over `samples` captions of each image; and the mean reward.

    The advantage is the reward minus the baseline: the reward of the greedy caption (arXiv:1612.00563), or the mean of
    the image's other samples (arXiv:2003.09971). Rewards 3, 1 and 2 have the advantages 3 - 1.5, 1 - 2.5 and 2 - 2.
    Captions are sampled in eval mode without gradients; the decoder then reads them once more with gradients.
    """
    mode = decoder.training
    decoder.eval()
    seed = int(torch.randint(2**31, ()))  # a checkpoint saves torch's generator, so a resumed run samples the same
    with torch.no_grad():
        drawn = sample(decoder, features, special, num_return_sequences=samples, seed=seed, **lengths)
        likeliest = greedy(decoder, features, special, **lengths) if baseline == "greedy" else None
    decoder.train(mode)
    rewards = reward(drawn).to(drawn.log_probs)
    if likeliest is not None:
        advantages = rewards - reward(likeliest).to(rewards)
    else:
        advantages = (rewards - rewards.mean(dim=1, keepdim=True)) * samples / (samples - 1)
    memory, state = decoder.start(features)
    logits = decoder(memory, decoder.widen(state, samples), drawn.tokens[..., :-1]).logits
    real = counted(Captions(drawn.tokens, drawn.mask, len(special.begin)))
    targets = drawn.tokens[..., 1:].masked_fill(~real, IGNORE)
    losses = torch_cross_entropy(
        logits.flatten(0, 2).float(), targets.flatten(), ignore_index=IGNORE, reduction="none"
    ).view(real.shape)
    return (advantages * losses.sum(dim=-1)).sum(), float(rewards.mean())


class SelfCritical(Loss):
    """Learn from own sampled captions: good rewards make them likelier, bad ones less likely."""

    def __init__(
        self,
        *,
        samples: Samples = 5,  # captions sampled for each image
        reward: dict[str, Annotated[float, Field(allow_inf_nan=False)]] | None = None,  # metric -> weight
        baseline: Baseline = "mean",  # the reward that a sampled caption must beat
    ) -> None:
        self.samples, self.weights, self.baseline = samples, reward, baseline

    def check(self, clip: Clip) -> None:
        check_reward(self.weights, clip)

    def begin(self, learnt: Learnt) -> None:
        self.reward = Reward(learnt.records, learnt.tokenizer, self.weights, learnt.clip)
        self.special = learnt.tokenizer.special
        self.lengths = {name: learnt.decode[name] for name in LENGTHS if name in learnt.decode}

    def __call__(
        self, decoder: Decoder, seen: Seen, captions: Captions, images: Sequence[int], done: float
    ) -> tuple[Tensor, float]:
        reward = partial(self.reward, images=images)
        drawing: dict[str, Any] = {"samples": self.samples, "baseline": self.baseline, **self.lengths}
        return self_critical(decoder, first(seen), self.special, reward, **drawing)
