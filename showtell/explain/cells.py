"""A photo in 7 x 7 cells of pixels, for captioners that read no visual tokens, and for models that others trained.

A masked cell gets the photo's mean colour. Each copy of the photo goes through the whole captioner.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from PIL import Image, ImageStat
from torch import Tensor

from showtell.cache import encode
from showtell.captioners.caption import Caption
from showtell.captioners.ensemble import Ensemble
from showtell.captioners.huggingface.captioner import HuggingFace
from showtell.captioners.neural import Neural
from showtell.explain.tokens import Tokens
from showtell.explain.words import Word, into_words
from showtell.features import grid_boxes, to

SIDE = 7  # cells in a row and in a column
AT_ONCE = 16  # copies of the photo in a batch
Ask = Callable[[Sequence[Image.Image]], Float[Tensor, "M T"]]


@runtime_checkable
class Judges(Protocol):
    """A captioner that says how likely it finds any caption of a photo."""

    def log_prob(self, image: Any, caption: Any) -> float: ...


class Cells:
    """`ask` gives the words' log-probabilities for some photos."""

    def __init__(self, image: Image.Image, text: str, words: Sequence[Word], ask: Ask, at_once: int = AT_ONCE) -> None:
        self.image, self.text, self.ask, self.at_once = image, text, ask, at_once
        self.words: Sequence[Word] = list(words)
        self.boxes = grid_boxes(SIDE, SIDE, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))[0]
        self.colour = tuple(round(value) for value in ImageStat.Stat(image).mean)

    def log_probs(self, kept: Bool[Tensor, "M N"]) -> Float[Tensor, "M T"]:
        return torch.cat([self.ask([self.shown(each) for each in some]) for some in kept.split(self.at_once)])

    def shown(self, kept: Bool[Tensor, " N"]) -> Image.Image:
        """The photo with the other cells filled."""
        image = self.image.copy()
        width, height = image.size
        for left, top, right, bottom in self.boxes[~kept].tolist():
            edges = (round(left * width), round(top * height), round(right * width), round(bottom * height))
            image.paste(self.colour, edges)
        return image


def cells_of_encoder(captioner: Neural | Ensemble, image: Image.Image, tokens: Tokens) -> Cells:
    """For a decoder that reads one pooled vector: all copies are encoded. `tokens` knows the caption's ids."""

    def ask(images: Sequence[Image.Image]) -> Float[Tensor, "M T"]:
        with torch.no_grad():
            return tokens.given(to(encode(captioner.encoder, images), captioner.device)).cpu()

    return Cells(image, tokens.text, tokens.words, ask)


def cells_of_foreign(captioner: HuggingFace, image: Image.Image, caption: Caption) -> Cells:
    """For a model of transformers: teacher forcing gives the log-probability of each id of its answer."""
    ids = [*(caption.tokens or ())]
    tokenizer = captioner.loaded.tokenizer
    special = {*tokenizer.all_special_ids}
    said = [number for number, token in enumerate(ids) if token not in special]
    words = into_words([ids[n] for n in said], lambda some: tokenizer.decode(some, skip_special_tokens=True))
    words = [Word(word.text, tuple(said[n] for n in word.ids)) for word in words]
    words = within(words, caption.text)

    def ask(images: Sequence[Image.Image]) -> Float[Tensor, "M T"]:
        found = torch.tensor(captioner.log_probs(images, [caption] * len(images)))
        return torch.stack([found[:, list(word.ids)].sum(1) for word in words], dim=1)

    return Cells(image, caption.text, words, ask)


def cells_of_judge(captioner: Judges, image: Image.Image, caption: Caption) -> Cells:
    """For any captioner with `log_prob(image, caption)`: it judges whole captions, so all words have one map."""

    def ask(images: Sequence[Image.Image]) -> Float[Tensor, "M T"]:
        return torch.tensor([[captioner.log_prob(each, caption)] for each in images])

    return Cells(image, caption.text, [Word(caption.text, (0,))] if caption.text else [], ask)


def within(words: list[Word], text: str) -> list[Word]:
    """The words of an answer that are left after it was cleaned: `a dog` of `The image shows a dog`.

    >>> within([Word("Sure:", (0,)), Word("a", (1,)), Word("dog", (2,))], "a dog")
    [Word(text='a', ids=(1,)), Word(text='dog', ids=(2,))]
    """
    wanted = "".join(text.split()).lower()
    spelled = ["".join(word.text.split()).lower() for word in words]
    for first in range(len(words)):
        for last in range(len(words), first, -1):
            if "".join(spelled[first:last]) == wanted:
                return words[first:last]
    return words
