"""CHAIR (Rohrbach et al. 2018, arXiv:1809.02156): how often captions name one of COCO's 80 objects that is not there.

Example: the caption is "a dog and a cat on a bench", and the references name a dog and a bench. The cat is
hallucinated. CHAIRs counts captions: 1 of 1 is wrong. CHAIRi counts mentions: 1 of 3 is wrong.

Unusual: an object is in the image if a reference names it. The paper also looks at COCO's segmentation, which other
datasets lack. So these numbers are higher than the paper's: references do not mention every object.
"""

from functools import lru_cache

import numpy as np

from showtell.metrics.metric import Metric, Rows, Texts, ratio, shares
from showtell.metrics.objects import named


def mentions(text: str) -> list[str]:
    """The objects that a tokenized text names, one per mention. If several names begin at a word, the longest counts.

    >>> mentions("a baby elephant and two men eat hot dogs by a dog house on the table")
    ['elephant', 'person', 'hot dog', 'dining table']
    """
    table, longest = _table()
    words, objects, end = text.split(), list[str](), 0  # `end`: where the last name ended
    for at, word in enumerate(words):
        if word in longest and at >= end:
            for length in range(longest[word], 0, -1):
                name = " ".join(words[at : at + length])
                if name in table:
                    end, named_object = at + length, table[name]
                    objects += [named_object] if named_object else []
                    break
    return objects


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, str | None], dict[str, int]]:
    """Names -> objects; and the first word of names -> how many words the longest such name has."""
    table, longest = named(), dict[str, int]()
    for name in table:
        words = name.split()
        longest[words[0]] = max(longest.get(words[0], 0), len(words))
    return table, longest


def statistics(texts: Texts) -> Rows:
    """Per image: whether an object is hallucinated, how many mentions are, and all mentions -> (images, 3)."""
    rows = []
    for candidate, references in zip(texts.candidates, texts.references, strict=True):
        mentioned = mentions(candidate)
        hallucinated = set(mentioned)
        for text in references:
            if hallucinated:
                hallucinated.difference_update(mentions(text))
        wrong = sum(name in hallucinated for name in mentioned)
        rows.append([wrong > 0, wrong, len(mentioned)])
    return np.array(rows, dtype=float)


def _of_mentions(sums: Rows, images: object) -> Rows:
    return ratio(sums[..., 1:], images)


def _contributions(rows: Rows) -> Rows:
    return shares(rows[:, 1:])


def facts(texts: Texts) -> str:
    return "COCO's 80 objects, there if a reference names them"


CHAIR_S = Metric(statistics, facts=facts, group="hidden", lower=True)  # of captions
CHAIR_I = Metric(  # of mentions
    statistics, _of_mentions, facts, group="hidden", lower=True, contributions=_contributions
)
