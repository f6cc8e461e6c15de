"""An image -> its caption, and for each word a map of where in the image it came from.

Three methods, with one signature in the table METHODS:

- `relevance`: attention x gradient; the default for models with attention.
- `attention`: where the model looked; what it looked at need not matter to the word.
- `occlusion`: which parts the word needs; for every model that can judge a caption.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from showtell.cache import encode
from showtell.captioners.captioner import Captioner
from showtell.captioners.ensemble import Ensemble
from showtell.captioners.huggingface.captioner import HuggingFace
from showtell.captioners.neural import Neural
from showtell.captioners.views import encoder_of_views
from showtell.explain.attention import attention, manner
from showtell.explain.cells import SIDE, Cells, Judges, cells_of_encoder, cells_of_foreign, cells_of_judge
from showtell.explain.deletion import deletion
from showtell.explain.explanation import FIFTH, Explanation, Parts
from showtell.explain.occlusion import occlusion
from showtell.explain.relevance import relevance
from showtell.explain.tokens import Tokens
from showtell.features import each, to
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import nearest

Method = Callable[[Parts, int | None, int | None], Float[Tensor, "T N"]]


def _attention(parts: Parts, layer: int | None, head: int | None) -> Tensor:
    assert isinstance(parts, Tokens)
    return attention(parts, layer, head)


def _relevance(parts: Parts, layer: int | None, head: int | None) -> Tensor:
    assert isinstance(parts, Tokens)
    return relevance(parts)


def _occlusion(parts: Parts, layer: int | None, head: int | None) -> Tensor:
    return occlusion(parts)


METHODS: dict[str, Method] = {"relevance": _relevance, "attention": _attention, "occlusion": _occlusion}


def explain(
    captioner: Captioner,
    image: Image.Image,
    *,
    how: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    share: float | None = FIFTH,
    **decode: Any,
) -> Explanation:
    """Caption an upright image and return a map for each word. `decode` changes the recipe's decoding.

    `how` is one of METHODS; without it, the best one that the captioner can do. `layer` and `head` choose one of
    `attention`'s; None is the mean. The deletion score masks this `share` of the parts; None computes no score.
    Raises InputError if the captioner cannot do it.
    """
    parts = parts_of(captioner, image, **decode)
    how = method_for(captioner, parts, how, layer, head)
    maps = METHODS[how](parts, layer, head)
    whole = parts.log_probs(torch.ones(1, len(parts.boxes), dtype=torch.bool))[0]
    scored = None if share is None else deletion(parts, maps, whole, share)
    return Explanation(
        words=[word.text for word in parts.words],
        maps=maps,
        boxes=parts.boxes,
        text=parts.text,
        how=how,
        manner=in_words(how, parts, layer, head),
        log_probs=whole,
        deletion=scored,
    )


def parts_of(captioner: Captioner, image: Image.Image, **decode: Any) -> Parts:
    """Caption an upright image: what methods ask. Raises InputError if the captioner cannot judge captions."""
    if isinstance(captioner, Neural | Ensemble):
        return _of_ours(captioner, image, decode)
    (caption,) = captioner.caption([image], **decode)
    if isinstance(captioner, HuggingFace):
        return cells_of_foreign(captioner, image, caption)
    if isinstance(captioner, Judges):
        return cells_of_judge(captioner, image, caption)
    wrong = f"captioner {captioner.name!r} gives no probability to words, so no part of a photo can be seen to matter"
    advice = "explain takes captioners with a decoder, and those with log_prob(image, caption)"
    raise InputError(wrong, advice=advice)


def _of_ours(captioner: Neural | Ensemble, image: Image.Image, decode: dict[str, Any]) -> Parts:
    with torch.no_grad():
        seen = to(encode(encoder_of_views(captioner.encoder, captioner.views), [image]), captioner.device)
    (caption,) = captioner.describe(seen, **decode)
    assert caption.tokens is not None
    encoders = len(captioner.encoder.encoders) if captioner.encoder.several else 1
    tokens = Tokens(captioner, each(seen)[:encoders], caption.text, caption.tokens)  # without mirrored views
    if captioner.decoder.reads_tokens and len(tokens.boxes) > 1:
        return tokens
    return cells_of_encoder(captioner, image, tokens)


def methods_for(parts: Parts) -> list[str]:
    """The methods that work here, the best one first. A decoder of your own may take no `probe`; then no gradients."""
    if not isinstance(parts, Tokens) or not parts.attending:
        return ["occlusion"]
    takes_probe = all("probe" in inspect.signature(member.decoder.forward).parameters for member in parts.attending)
    return ["relevance", "attention", "occlusion"] if takes_probe else ["occlusion", "attention"]


def method_for(captioner: Captioner, parts: Parts, how: str | None, layer: int | None, head: int | None) -> str:
    """The method that counts. Raises InputError if it is none, or not one for this captioner."""
    check_method(how, layer, head)
    can = methods_for(parts)
    chosen = layer is not None or head is not None
    wanted = how or ("attention" if chosen else can[0])
    if wanted == "relevance" and wanted not in can and "attention" in can:
        wrong = "this model's decoder takes no probe, so there is no gradient with respect to its attention"
        raise InputError(wrong, advice="set --how occlusion, or add probe to its forward, as `Decoder.forward` says")
    if wanted not in can:
        raise _without_attention(captioner, wanted)
    return wanted


def check_method(how: str | None, layer: int | None, head: int | None) -> None:
    """Raise InputError if these do not go together, whatever the captioner."""
    if how is not None and how not in METHODS:
        raise InputError(key="--how", value=how, takes=METHODS, near=nearest(how, METHODS))
    for name, value in (("--layer", layer), ("--head", head)):
        if value is not None and how not in (None, "attention"):
            wrong = f"is {value}, and chooses attention, but --how is {how}"
            raise InputError(wrong, key=name, value=value, advice="set --how attention, or remove it")


def in_words(how: str, parts: Parts, layer: int | None = None, head: int | None = None) -> str:
    """The method in some words, for pictures."""
    if how == "attention":
        return manner(layer, head)
    if how == "relevance":
        return "relevance (attention × gradient)"
    return f"occlusion of {SIDE} × {SIDE} cells" if isinstance(parts, Cells) else "occlusion of each visual token"


def _without_attention(captioner: Captioner, wanted: str) -> InputError:
    advice = "set --how occlusion, which works with every model"
    if isinstance(captioner, Ensemble):
        wrong = "no member of this ensemble has attention over the image"
    elif isinstance(captioner, Neural):
        decoder = captioner.recipe["decoder"]
        how = ", ".join(f"{key} {decoder[key]}" for key in ("conditioning", "sees") if key in decoder)
        settings = f" ({how})" if how else ""
        wrong = f"this model's decoder is {decoder['name']!r}{settings}: it reads the image without attention"
    else:
        wrong = f"captioner {captioner.name!r} shows no attention over the photo"
    return InputError(f"{wrong}, and --how {wanted} needs it", advice=advice)
