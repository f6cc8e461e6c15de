"""A captioner and labels -> how likely the captioner is to say each label of a photo.

The score of a text is the mean of its tokens' log-probabilities, given the photo and the tokens before. The end of the
caption does not count, nor does a prompt of the tokenizer. Example: `a cat` with the probabilities .67 and .39 scores
(log .67 + log .39) / 2 = -.67. Of several texts of a label the mean counts.

A word that the model does not know is one of many. Its probability is that of the unknown word (`unk`), shared by as
many words as the model knows; otherwise labels with unknown words would win. Example: .33 and 3,300 words are .0001.

Texts that begin alike share the reading of their beginning: all of `a photo of a ..` cost little more than one.
"""

from collections.abc import Sequence
from math import log

import torch
from jaxtyping import Bool, Float, Int
from PIL import Image
from torch import Tensor

from showtell.cache import encode
from showtell.captioners.captioner import Captioner
from showtell.captioners.views import decoder_of_views, encoder_of_views
from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.features import Seen, first, to
from showtell.plumbing.errors import InputError
from showtell.tokenizers.captions import Special, Tokenizer, batch
from showtell.zeroshot.ways import Way, shares_of, texts_of

AT_ONCE = 2**25  # logits in memory: 128 MB
SHOWN = 3  # texts that a note names


class ByCaptioner:
    """Works with every captioner that has a decoder and a tokenizer: trained ones and ensembles."""

    unit, scale = "log-probability", 1.0

    def __init__(self, captioner: Captioner, name: str) -> None:
        self.captioner, self.name, self.notes = captioner, name, list[str]()
        if not isinstance(getattr(captioner, "decoder", None), Decoder) or captioner.encoder is None:
            wrong = f"{name!r} is a captioner {captioner.name!r}, which gives no probabilities of words"
            takes = "a captioner that was trained by steps, or a CLIP"
            raise InputError(wrong, key="--model", value=name, takes=takes)
        self.decoder: Decoder = captioner.decoder  # type: ignore[attr-defined]
        self.tokenizer: Tokenizer = captioner.tokenizer  # type: ignore[attr-defined]
        self.decoder.eval()

    @property
    def encoder(self) -> Encoder:
        assert self.captioner.encoder is not None
        return encoder_of_views(self.captioner.encoder, self.captioner.views)

    def ask(self, ways: Sequence[Way]) -> None:
        """The ids of every text, and which texts are whose."""
        texts = texts_of(ways)
        self.ids = [self.tokenizer.encode(text) for text in texts]
        _check(texts, self.ids, self.tokenizer.special, self.decoder.max_length)
        self.notes = _notes(texts, self.ids, ways[-1], self.tokenizer.special)
        self.shares = shares_of(ways, texts)

    def scores_of(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "B W L"]:
        return self.scores(encode(self.encoder, pictures))

    @torch.no_grad()
    def scores(self, seen: Seen) -> Float[Tensor, "B W L"]:
        seen = to(seen, self.captioner.device)
        decoder = decoder_of_views(self.decoder, seen)
        said = text_scores(decoder, seen, self.ids, self.tokenizer.special, len(self.tokenizer))
        return torch.einsum("bm,wlm->bwl", said.cpu(), self.shares)


def text_scores(
    decoder: Decoder, seen: Seen, texts: Sequence[Sequence[int]], special: Special, vocabulary: int
) -> Float[Tensor, "B M"]:
    """The mean log-probability per token of each of M texts (their ids), given each of B photos."""
    memory, state = decoder.start(seen)  # type: ignore[arg-type]  # a mean of decoders reads several
    images = len(first(seen).tokens)
    order = sorted(range(len(texts)), key=lambda text: list(texts[text]))  # alike beginnings stand together
    longest = max(map(len, texts)) + len(special.begin)
    step = max(1, AT_ONCE // (images * longest * vocabulary))
    found = torch.zeros(images, len(texts))
    for start in range(0, len(order), step):
        some = order[start : start + step]
        captions = batch([[texts[text] for text in some]], special)
        tokens = captions.tokens[..., :-1].to(first(seen).tokens.device)  # nobody asks how likely the end is
        counts = torch.tensor([len(texts[text]) for text in some])
        log_probs = next_log_probs(decoder, memory, state, tokens.expand(images, -1, -1))
        log_probs = log_probs - log(vocabulary) * _unknown(tokens[..., 1:], special)
        real = _words(counts, captions.begin, tokens.shape[-1]).to(log_probs.device)
        found[:, some] = (log_probs.masked_fill(~real, 0).sum(-1) / counts.to(log_probs.device)).cpu()
    return found


def _unknown(tokens: Int[Tensor, "1 K S"], special: Special) -> Float[Tensor, "1 K S"]:
    """1 for words that the model does not know; bos and pad, which it never says either, are no words."""
    return torch.isin(tokens, tokens.new_tensor(special.suppress)).float()


def next_log_probs(
    decoder: Decoder, memory: dict[str, Tensor], state: dict[str, Tensor], tokens: Int[Tensor, "B K T"]
) -> Float[Tensor, "B K S"]:
    """The log-probability of each token but the first, S = T - 1. What all K begin with is read once."""
    same = (tokens == tokens[:1, :1]).all(dim=1).all(dim=0).long().cumprod(0)
    shared = max(1, min(int(same.sum()), tokens.shape[-1] - 1))
    once = decoder.forward(memory, state, tokens[:, :1, :shared])
    parts = [_of(once.logits.expand(-1, tokens.shape[1], -1, -1), tokens[..., 1 : shared + 1])]
    if shared < tokens.shape[-1] - 1:
        each = decoder.widen(once.state, tokens.shape[1])
        rest = decoder.forward(memory, each, tokens[..., shared:-1])
        parts.append(_of(rest.logits, tokens[..., shared + 1 :]))
    return torch.cat(parts, dim=-1)


def _of(logits: Float[Tensor, "B K S V"], targets: Int[Tensor, "B K S"]) -> Float[Tensor, "B K S"]:
    logits = logits.float()
    return logits.gather(-1, targets[..., None])[..., 0] - logits.logsumexp(dim=-1)


def _words(counts: Int[Tensor, " K"], begin: int, length: int) -> Bool[Tensor, "K S"]:
    """True for the targets that are words of the text: with bos and the words `3 4` the first two."""
    place = torch.arange(1, length)
    return (place >= begin) & (place < begin + counts[:, None])


def _check(texts: Sequence[str], ids: Sequence[Sequence[int]], special: Special, limit: int | None) -> None:
    for text, of_text in zip(texts, ids, strict=True):
        if not of_text:
            raise InputError(f"the text {text!r} has no token for this model; change the label or the prompt")
        if limit is not None and len(special.begin) + len(of_text) - 1 > limit:
            wrong = f"the text {text!r} has {len(of_text)} tokens, and this model reads {limit}"
            raise InputError(wrong, advice="take a shorter prompt or label")


def _notes(texts: Sequence[str], ids: Sequence[Sequence[int]], way: Way, special: Special) -> list[str]:
    """What a user must know of the labels: words that the model never learnt, and labels that look alike to it."""
    known = dict(zip(texts, ids, strict=True))
    unknown = [of_label[0] for of_label in way.texts if set(special.suppress) & set(known[of_label[0]])]
    notes = []
    if unknown:
        shown = ", ".join(map(repr, unknown[:SHOWN])) + (", .." if len(unknown) > SHOWN else "")
        notes.append(f"{len(unknown)} of {len(way.texts)} labels have words that this model does not know: {shown}")
    spelt = [tuple(map(tuple, (known[text] for text in of_label))) for of_label in way.texts]
    twins = [of_label[0] for of_label, own in zip(way.texts, spelt, strict=True) if spelt.count(own) > 1]
    if twins:
        shown = ", ".join(map(repr, twins[:SHOWN])) + (", .." if len(twins) > SHOWN else "")
        notes.append(f"{len(twins)} labels are the same tokens for this model, so the first of them wins: {shown}")
    return notes
