"""A caption -> the ways in which it fails, each found by a rule that a reader can check by eye.

| name | rule | example |
|---|---|---|
| empty | no words | |
| repeated | a word twice in a row, or the same three words twice | a dog dog runs |
| cut | the last word cannot end a sentence, or the caption has all `decode.max_length` words | a dog on the |
| copied | the words of a training caption (`copied` of the scores) | |
| made up | names one of COCO's 80 objects that no reference names (`CHAIRs`) | a cat, where people saw a dog |
"""

from collections.abc import Sequence
from itertools import pairwise

from showtell.metrics.chair import mentions
from showtell.metrics.tokenize import tokenize
from showtell.scoring.comparison import Comparison

KINDS = {
    "empty": "no words",
    "repeated": "a word twice in a row, or the same three words twice",
    "cut": "ends in the middle of a sentence",
    "copied": "word for word a training caption",
    "made up": "names an object that no reference names",
}
# Words that English does not end a sentence with.
UNFINISHED = {"a", "an", "the", "of", "with", "and", "or", "to", "from", "at", "is", "are"}
UNFINISHED |= {"his", "her", "their", "its", "my", "your", "very"}


def failures(
    caption: str, references: Sequence[str], *, copied: bool = False, most_words: int | None = None
) -> dict[str, str]:
    """Kind -> what is wrong in a few words, or empty. `most_words` is the decoding's longest caption.

    >>> failures("a cat on the", ["a dog sleeps"])
    {'cut': 'ends with the', 'made up': 'cat'}
    """
    words = [word.rstrip(".") for word in tokenize(caption).split()]  # `a.` at the end counts as an abbreviation
    if not words:
        return {"empty": ""}
    wrong: dict[str, str] = {}
    if again := repeated(words):
        wrong["repeated"] = again
    if is_cut(words, most_words):
        wrong["cut"] = f"ends with {words[-1]}"
    if copied:
        wrong["copied"] = ""
    if made_up := invented(caption, references):
        wrong["made up"] = ", ".join(made_up)
    return wrong


def of_run(found: Comparison, run: str, image_id: str, most_words: int | None = None) -> dict[str, str]:
    """The failures of one run's caption of one image."""
    scores = found.scores[run]
    copied = "copied" in scores and scores["copied"].per_image[image_id] > 0
    caption, references = found.candidates[run][image_id], found.references[image_id]
    return failures(caption, references, copied=copied, most_words=most_words)


def repeated(words: Sequence[str]) -> str:
    """What comes twice; empty if nothing does.

    >>> repeated("a dog dog runs".split()), repeated("a dog and a cat".split())
    ('dog dog', '')
    """
    for first, second in pairwise(words):
        if first == second:
            return f"{first} {second}"
    seen = set()
    for three in zip(words, words[1:], words[2:], strict=False):
        if three in seen:
            return " ".join(three)
        seen.add(three)
    return ""


def is_cut(words: Sequence[str], most: int | None = None) -> bool:
    """
    >>> is_cut("a dog on the".split()), is_cut("a dog runs".split()), is_cut("a dog runs".split(), 3)
    (True, False, True)
    """
    return words[-1] in UNFINISHED or (most is not None and len(words) >= most)


def invented(caption: str, references: Sequence[str]) -> list[str]:
    """Objects that the caption names and no reference does, each once.

    >>> invented("a cat on a bench", ["a dog sits on a bench"])
    ['cat']
    """
    named = dict.fromkeys(mentions(tokenize(caption)))
    if not named:
        return []
    there = {name for text in references for name in mentions(tokenize(text))}
    return [name for name in named if name not in there]
