"""Captions -> a number to make smaller. The only place that shifts words against predictions, and that knows -100."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy as torch_cross_entropy

from showtell.decode import Decoded, sample
from showtell.decoders.decoder import Decoder
from showtell.features import Features
from showtell.tokenizers.captions import Captions, Special

IGNORE = -100


def cross_entropy(
    decoder: Decoder, features: Features, captions: Captions, label_smoothing: float = 0.0
) -> tuple[Tensor, int]:
    """The summed loss of the next real word, teacher-forced, and the number of words it sums over.

    >>> # bos a dog eos pad  ->  reads: bos a dog eos, predicts: a dog eos (pad is ignored)
    """
    memory, state = decoder.start(features)
    state = decoder.widen(state, captions.tokens.shape[1])
    logits = decoder(memory, state, captions.tokens[..., :-1]).logits
    real = captions.mask[..., 1:]
    targets = captions.tokens[..., 1:].masked_fill(~real, IGNORE)
    loss = torch_cross_entropy(
        logits.flatten(0, 2).float(),
        targets.flatten(),
        ignore_index=IGNORE,
        label_smoothing=label_smoothing,
        reduction="sum",
    )
    return loss, int(real.sum())


def self_critical(
    decoder: Decoder,
    features: Features,
    special: Special,
    reward: Callable[[Decoded], Tensor],
    samples: int,
    **lengths: int,
) -> tuple[Tensor, float]:
    """Summed over `samples` captions an image: minus log probability times advantage; and the mean reward.

    The advantage is the reward above the mean of the image's other samples (arXiv:1612.00563, with the baseline of
    arXiv:2003.09971). They are drawn in eval mode without gradients, and read once more with them.
    """
    mode = decoder.training
    decoder.eval()
    seed = int(torch.randint(2**31, ()))  # from the generator that a checkpoint keeps: a resumed run draws the same
    with torch.no_grad():
        drawn = sample(decoder, features, special, num_return_sequences=samples, seed=seed, **lengths)
    decoder.train(mode)
    rewards = reward(drawn).to(drawn.log_probs)
    advantages = (rewards - rewards.mean(dim=1, keepdim=True)) * samples / (samples - 1)
    memory, state = decoder.start(features)
    logits = decoder(memory, decoder.widen(state, samples), drawn.tokens[..., :-1]).logits
    real = drawn.mask[..., 1:]
    targets = drawn.tokens[..., 1:].masked_fill(~real, IGNORE)
    losses = torch_cross_entropy(
        logits.flatten(0, 2).float(), targets.flatten(), ignore_index=IGNORE, reduction="none"
    ).view(real.shape)
    return (advantages * losses.sum(dim=-1)).sum(), float(rewards.mean())
