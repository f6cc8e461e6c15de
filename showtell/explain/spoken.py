"""Photos -> their captions with each word's log probability, its map, and the captions that the search put behind.

Decoding returns no probabilities of single words. So the decoder reads all finished captions of a batch once more, as
`explain` does, and the step that chose a word gives its log probability. A word of several pieces has the sum of its
pieces' log probabilities and the mean of their maps: `sur` -1.0 and `fer` -0.2 make `surfer` -1.2.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from showtell.cache import encode
from showtell.captioners import speaking
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.captioners.ensemble import Ensemble
from showtell.captioners.huggingface.captioner import HuggingFace
from showtell.captioners.neural import Neural
from showtell.captioners.views import decoder_of_views, encoder_of_views
from showtell.decode import STRATEGIES
from showtell.explain.words import into_words
from showtell.features import Features, Seen, first, to
from showtell.settings.schema import choose, validated
from showtell.tokenizers.captions import words_of

BEAMS = ("beam", "diverse_beam", "contrastive")  # strategies whose further captions change nothing in the first one


class SpokenWord(NamedTuple):
    """`map[n]` is the attention on visual token n; it sums to 1. None if there is no map."""

    text: str
    log_prob: float
    map: list[float] | None = None


class Spoken(NamedTuple):
    """A caption, its words, the other captions that were found, best first, and where the visual tokens lie."""

    caption: Caption
    words: list[SpokenWord]
    others: list[Caption]
    boxes: list[list[float]] | None = None


@torch.inference_mode()
def speak(captioner: Captioner, images: Sequence[Image.Image], maps: bool = False) -> list[Spoken]:
    """Caption upright images as `captioner.decode` says. The captions are those of `captioner.caption`.

    A captioner that gives no probabilities of words, such as `nearest`, has no words here; one without attention over
    the photo has no maps.
    """
    if isinstance(captioner, Neural | Ensemble):
        return _by_decoder(captioner, images, maps)
    captions = captioner.caption(images)
    if not isinstance(captioner, HuggingFace):
        return [Spoken(caption, [], []) for caption in captions]
    chosen = captioner.log_probs(images, captions)
    return [
        Spoken(caption, _foreign_words(captioner, caption, log_probs), [])
        for caption, log_probs in zip(captions, chosen, strict=True)
    ]


def with_all_beams(decode: Mapping[str, Any]) -> dict[str, Any]:
    """A decode section that returns all captions that a beam search ends with."""
    name = decode["name"]
    if name not in BEAMS:
        return dict(decode)
    settings = validated("decode", name, choose("decode", STRATEGIES, name), decode).model_dump()
    return {"name": name, **settings, "num_return_sequences": settings["num_beams"]}


def _by_decoder(captioner: Neural | Ensemble, images: Sequence[Image.Image], maps: bool) -> list[Spoken]:
    seen = to(encode(encoder_of_views(captioner.encoder, captioner.views), list(images)), captioner.device)
    decode = with_all_beams(captioner.decode)
    found = speaking.describe_several(captioner.decoder, seen, captioner.tokenizer, captioner.spelling, decode)
    best = [captions[0] for captions in found]
    log_probs, attention = _replay(captioner, seen, best, maps)
    spoken = []
    for row, captions in enumerate(found):
        ids = words_of(captions[0].tokens or [], captioner.tokenizer.special)
        looked, boxes = _looked(first(seen), attention, row, len(ids))
        words = _joined(captioner.tokenizer, ids, log_probs[row, : len(ids)].tolist(), looked)
        spoken.append(Spoken(captions[0], words, _others(captions), boxes))
    return spoken


def _replay(
    captioner: Neural | Ensemble, seen: Seen, captions: Sequence[Caption], maps: bool
) -> tuple[Tensor, Tensor | None]:
    """The log probabilities of the words of each caption (B T), and the attention of the steps that chose them."""
    special = captioner.tokenizer.special
    decoder = decoder_of_views(captioner.decoder, seen)
    rows = [caption.tokens or list(special.begin) for caption in captions]
    longest = max(map(len, rows))
    tokens = torch.tensor([[*row, *[special.pad] * (longest - len(row))] for row in rows], device=captioner.device)
    memory, state = decoder.start(seen)  # type: ignore[arg-type]  # one for several takes a tuple
    start = len(special.begin)
    if longest == start:  # every caption is empty
        return torch.zeros(len(rows), 0), None
    output = decoder(memory, state, tokens[:, None, :-1], attention=maps and decoder.attends)
    logits = output.logits[:, 0, start - 1 :].float()  # B T V
    chosen = logits.gather(-1, tokens[:, start:, None]).squeeze(-1) - logits.logsumexp(-1)
    attention = None if output.attention is None else output.attention[:, 0, start - 1 :].float().mean(2)  # B T N
    return chosen.cpu(), attention


def _looked(
    features: Features, attention: Tensor | None, row: int, count: int
) -> tuple[Tensor | None, list[list[float]] | None]:
    """The maps (T N) of one image's words, each with the sum 1, and the boxes of its real visual tokens."""
    if attention is None:
        return None, None
    real = features.mask[row]
    maps = attention[row, :count][:, real]
    return (maps / maps.sum(1, keepdim=True).clamp(min=1e-12)).cpu(), features.boxes[row, real].tolist()


def _joined(tokenizer: Any, ids: Sequence[int], log_probs: Sequence[float], maps: Tensor | None) -> list[SpokenWord]:
    """Ids -> words; a word of several ids has the sum of their log probabilities and the mean of their maps."""
    words = []
    for word in into_words(ids, tokenizer.decode):
        looked = None if maps is None else maps[list(word.ids)].mean(0).tolist()
        words.append(SpokenWord(word.text, sum(log_probs[place] for place in word.ids), looked))
    return words


def _foreign_words(captioner: HuggingFace, caption: Caption, log_probs: Sequence[float]) -> list[SpokenWord]:
    """The words of a foreign model's whole answer, without special ids."""
    tokenizer = captioner.loaded.tokenizer
    kept = [
        (token, log_prob)
        for token, log_prob in zip(caption.tokens or [], log_probs, strict=False)
        if token not in set(tokenizer.all_special_ids)
    ]
    return _joined(tokenizer, [token for token, _ in kept], [log_prob for _, log_prob in kept], None)


def _others(captions: Sequence[Caption]) -> list[Caption]:
    """All captions but the first one, without texts that were there before."""
    texts = {captions[0].text}
    others = []
    for caption in captions[1:]:
        if caption.text not in texts:
            texts.add(caption.text)
            others.append(caption)
    return others
