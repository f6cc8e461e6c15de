"""An image -> its caption, and for each word the part of the image it looked at.

Decoding carries no attention: the finished caption is read once more with it, so beams and sampling get exact maps too.
The map of a word is the attention of the query that chose it, which is the one at the word before.
"""

from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from showtell.cache import encode
from showtell.captioners.captioner import Captioner
from showtell.captioners.ensemble import Ensemble
from showtell.captioners.neural import Neural
from showtell.captioners.views import encoder_of_views
from showtell.features import first, to
from showtell.plumbing.errors import InputError
from showtell.tokenizers.captions import words_of


class Explanation(NamedTuple):
    """`words` (T) are the tokenizer's pieces; each of their `maps` sums to 1 over the visual tokens at `boxes`."""

    words: list[str]
    maps: Tensor  # T N
    boxes: Tensor  # N 4, fractions of the upright original
    text: str


@torch.inference_mode()
def explain(captioner: Captioner, image: Image.Image, **decode: Any) -> Explanation:
    """Caption an upright image with the recipe's decoding, or changes of it, and say where each word looked.

    Raises InputError if the decoder has no attention over the image.
    """
    if not isinstance(captioner, Neural | Ensemble):
        raise InputError(
            f"captioner {captioner.name!r} looks at no part of a photo, word by word; explain takes models with "
            "attention, such as those of recipe bern-6"
        )
    seen = to(encode(encoder_of_views(captioner.encoder, captioner.views), [image]), captioner.device)
    features = first(seen)  # of the upright photo
    said = captioner.describe(seen, **decode)[0]
    assert said.tokens is not None
    special = captioner.tokenizer.special
    chosen = words_of(said.tokens, special)
    before = len(special.begin) - 1  # queries that chose no word of the caption
    if isinstance(captioner, Ensemble):
        memory, state = captioner.decoder.start(seen)
    else:
        memory, state = captioner.decoder.start(features)
    read = torch.tensor([[said.tokens[: before + max(len(chosen), 1)]]], device=captioner.device)
    attention = captioner.decoder(memory, state, read, attention=True).attention
    if attention is None:
        raise _nothing_to_look_at(captioner)
    real = features.mask[0]
    maps = attention[0, 0, before : before + len(chosen)].float().mean(1)[:, real]  # T H N -> T N
    maps = maps / maps.sum(1, keepdim=True).clamp(min=1e-12)  # a prefix shares its attention with the words before
    return Explanation(
        [captioner.tokenizer.decode([token]) for token in chosen], maps.cpu(), features.boxes[0, real].cpu(), said.text
    )


def _nothing_to_look_at(captioner: Neural | Ensemble) -> InputError:
    if isinstance(captioner, Ensemble):
        return InputError(
            "no member of this ensemble that looks through the first one's encoder has attention over the image, so no "
            "word looks at a part of it"
        )
    decoder = captioner.recipe["decoder"]
    how = ", ".join(f"{key} {decoder[key]}" for key in ("conditioning", "sees") if key in decoder)
    return InputError(
        f"this model's decoder is {decoder['name']!r} ({how}): it reads the image as one vector, so no word "
        "looks at a part of it; explain takes models with attention, such as those of recipe bern-6"
    )
