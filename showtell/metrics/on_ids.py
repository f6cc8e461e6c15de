"""METEOR and BLEU on token numbers instead of words, as the trainer of the Oslo course (IN5400) computes them.

The course gives its metrics texts such as "64 9 351", without a tokenizer. Only equal numbers match: no stem, synonym,
paraphrase or function word counts. So METEOR-ids is lower than METEOR, and the two cannot be compared: 250 human
captions against four others have .254 on numbers and .261 on words.

A text that is already numbers stays as it is. Words are split as the course splits them: at spaces, in lower case, and
only their letters and digits are kept. Then each different word gets a number of its own.
"""

from functools import partial

from showtell.metrics.bleu import statistics as bleu_statistics
from showtell.metrics.bleu import value as bleu_value
from showtell.metrics.meteor import METEOR
from showtell.metrics.meteor import statistics as meteor_statistics
from showtell.metrics.metric import Metric, Rows, Texts

FIRST = 1_000_000  # METEOR's tables know small numbers: it may call `10` a synonym of another spelling
TOKENS = "token numbers"


def numbered(texts: Texts) -> Texts:
    """The same texts as numbers, with spaces between."""
    if all(_is_numbers(text) for some in ([*texts.said], *texts.known) for text in some):
        return Texts([*texts.said], [[*of_image] for of_image in texts.known])
    from showtell.tokenizers.listed import split  # loads torch, which other metrics do not need

    ids: dict[str, int] = {}

    def number(text: str) -> str:
        return " ".join(str(ids.setdefault(word, FIRST + len(ids))) for word in split(text))

    return Texts([number(text) for text in texts.said], [[number(text) for text in some] for some in texts.known])


def _is_numbers(text: str) -> bool:
    return all(word.isdecimal() for word in text.split())


def _meteor(texts: Texts) -> Rows:
    return meteor_statistics(numbered(texts))


def _bleu(texts: Texts) -> Rows:
    return bleu_statistics(numbered(texts))


METEOR_IDS = METEOR._replace(statistics=_meteor, group="more", tokens=TOKENS)


def bleu_ids(n: int) -> Metric:
    """coco-caption's BLEU with 1-grams to n-grams of token numbers."""
    return Metric(_bleu, partial(bleu_value, n=n), tokens=TOKENS)
