"""Features of a photo -> features of a photo that is hard to see: with noise, or with some visual tokens masked.

Both depend on the seed and on the photo alone, as the dice of `sample` do: a photo is distorted the same way in every
batch, and two photos are distorted in different ways.
"""

import torch
from torch import Tensor

from showtell.decode.sample import throw
from showtell.features import Features, Seen, each
from showtell.plumbing.errors import RecipeError


def distort(seen: Seen, *, noise: float, masked: float, seed: int) -> Seen:
    """Mask a share of the visual tokens, then add noise. Each of several encoders or views is distorted by itself."""
    parts = tuple(add_noise(mask_tokens(part, masked, seed), noise, seed) for part in each(seen))
    return parts[0] if isinstance(seen, Features) else parts


def add_noise(features: Features, share: float, seed: int) -> Features:
    """Add normal noise, `share` times as wide as each channel's deviation, to all tokens and the pooled vector.

    A channel that is 1, 3, 1, 3 over a photo's four tokens has the deviation 1: a share of .5 moves it by about .5.
    """
    if share == 0:
        return features
    count, dim = features.tokens.shape[1:]
    uniform = throw(features, seed, 1 + count, dim).clamp(2**-25, 1 - 2**-24)
    noise = torch.special.ndtri(uniform) * (share * deviation(features))[:, None]  # B 1+N D
    noise = noise.to(features.tokens.dtype)
    return features._replace(tokens=features.tokens + noise[:, 1:], pooled=features.pooled + noise[:, 0])


def deviation(features: Features) -> Tensor:
    """Each channel's deviation over a photo's real tokens: B D.

    If a photo has a single token, no channel deviates. Then it is the deviation over the pooled vector's channels.
    """
    real = features.mask[..., None].float()
    count = real.sum(1)  # B 1
    mean = (features.tokens * real).sum(1) / count.clamp(min=1)
    squares = (features.tokens - mean[:, None]).square() * real
    over_tokens = (squares.sum(1) / count.clamp(min=1)).sqrt()
    over_channels = features.pooled.std(dim=-1, correction=0, keepdim=True)
    return torch.where(count > 1, over_tokens, over_channels)


def mask_tokens(features: Features, share: float, seed: int) -> Features:
    """Mask a share of each photo's real tokens, rounded down; the pooled vector moves as the mean of the tokens does.

    With a share of .5, four of a photo's nine tokens are masked. Raises RecipeError if there is only one token.
    """
    if share == 0:
        return features
    if features.tokens.shape[1] == 1:
        wrong = f"is {share}, and the encoder gives one visual token, which cannot be masked"
        raise RecipeError(wrong, key="decode.masked", value=share, takes="0", advice="use decode.noise")
    dice = throw(features, seed, 1, features.tokens.shape[1])[:, 0]  # B N
    place = dice.masked_fill(~features.mask, torch.inf).argsort(1).argsort(1)
    count = (share * features.mask.sum(1, keepdim=True) + 1e-4).floor()
    kept = features.mask & (place >= count)
    moved = _mean(features.tokens, kept) - _mean(features.tokens, features.mask)
    return features._replace(mask=kept, pooled=features.pooled + moved)


def _mean(tokens: Tensor, mask: Tensor) -> Tensor:
    real = mask[..., None].to(tokens.dtype)
    return (tokens * real).sum(1) / real.sum(1).clamp(min=1)
