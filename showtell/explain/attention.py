"""An image -> its caption, and for each word a map of the attention over the image.

Decoding returns no attention. So the decoder reads the finished caption once more, now with attention; this gives exact
maps for beam search and sampling too. The map of a word comes from the step that chose it, which reads the word before:
in `bos a dog`, the map of `dog` is the attention of the step that reads `a`.
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

TAKES = "explain takes models with attention, for example of recipe bern-6"


class Explanation(NamedTuple):
    """`words` (T) are the tokenizer's pieces. `maps[t]` is the attention of word t; it sums to 1 over visual tokens.

    `boxes[n]` says where visual token n lies.
    """

    words: list[str]
    maps: Tensor  # T N
    boxes: Tensor  # N 4, fractions of the upright original image
    text: str


@torch.inference_mode()
def explain(captioner: Captioner, image: Image.Image, **decode: Any) -> Explanation:
    """Caption an upright image and return the attention map of each word. `decode` changes the recipe's decoding.

    Raises InputError if the model has no attention over the image.
    """
    if not isinstance(captioner, Neural | Ensemble):
        raise InputError(f"captioner {captioner.name!r} has no attention over the photo", advice=TAKES)
    seen = to(encode(encoder_of_views(captioner.encoder, captioner.views), [image]), captioner.device)
    features = first(seen)  # of the photo itself, not of its mirrored view
    caption = captioner.describe(seen, **decode)[0]
    assert caption.tokens is not None
    special = captioner.tokenizer.special
    chosen = words_of(caption.tokens, special)
    before = len(special.begin) - 1  # the first steps read the prompt and choose no word
    if isinstance(captioner, Ensemble):
        memory, state = captioner.decoder.start(seen)
    else:
        memory, state = captioner.decoder.start(features)
    tokens = torch.tensor([[caption.tokens[: before + max(len(chosen), 1)]]], device=captioner.device)
    attention = captioner.decoder(memory, state, tokens, attention=True).attention
    if attention is None:
        raise _nothing_to_look_at(captioner)
    real = features.mask[0]
    maps = attention[0, 0, before : before + len(chosen)].float().mean(1)[:, real]  # T H N -> T N
    # A decoder with prefix conditioning attends to words too, so a map may sum to less than 1.
    maps = maps / maps.sum(1, keepdim=True).clamp(min=1e-12)
    words = [captioner.tokenizer.decode([token]) for token in chosen]
    return Explanation(words, maps.cpu(), features.boxes[0, real].cpu(), caption.text)


def _nothing_to_look_at(captioner: Neural | Ensemble) -> InputError:
    if isinstance(captioner, Ensemble):
        return InputError(
            "no member of this ensemble has attention over the image with the first member's encoder", advice=TAKES
        )
    decoder = captioner.recipe["decoder"]
    how = ", ".join(f"{key} {decoder[key]}" for key in ("conditioning", "sees") if key in decoder)
    return InputError(
        f"this model's decoder is {decoder['name']!r} ({how}): it reads the image as one vector, without attention",
        advice=TAKES,
    )
