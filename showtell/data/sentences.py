"""A caption of several sentences -> its sentences, by rules for English."""

import re

END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s)|(?<=[a-z]{2})[.!?](?=[A-Z][a-z])")  # the second part: `a wall.The cat`
# A full stop after these words, or after a single letter, does not end a sentence.
ABBREVIATIONS = {
    "mr",
    "mrs",
    "ms",
    "dr",
    "st",
    "jr",
    "sr",
    "vs",
    "etc",
    "approx",
    "no",
    "e.g",
    "i.e",
    "a.m",
    "p.m",
    "u.s",
}

_PICTURE = r"(?:\w+ ){0,2}(?:image|picture|photo|photograph|shot|scene)s?"
_SEES = r"(?:there (?:is|are) |(?:we|you|i) (?:can )?see )"
OPENING = re.compile(
    rf"(?:in (?:this|the) {_PICTURE},? {_SEES}?|(?:this|it|here) (?:is|'s) an? {_PICTURE} (?:of|showing) "
    rf"|(?:this|the|an?) {_PICTURE} (?:is of|of|shows|depicts|features|contains) "
    rf"|{_SEES}|(?:here|these|this) (?:is|are) )",
    re.IGNORECASE,
)

# After these words, the rest is not a noun phrase, so the opening stays: `There is no one`, `It is in a room`.
NO_THING = {"in", "on", "at", "to", "not", "no", "very", "also", "currently", "been"}


def plain(sentence: str) -> str:
    """A sentence without an opening such as `There is`, if the rest makes sense without it.

    >>> plain("There is a cat on a red mat."), plain("This is a picture of two dogs."), plain("This is fun.")
    ('a cat on a red mat.', 'two dogs.', 'This is fun.')
    """
    rest = OPENING.sub("", sentence, count=1) if OPENING.match(sentence) else sentence
    return rest if len(rest.split()) > 1 and rest.split()[0].lower() not in NO_THING else sentence


def sentences(text: str) -> list[str]:
    """
    >>> sentences("A cat sits by St. Mary's at 3.30 p.m. today... or not. it looks up!Then it goes. ")
    ["A cat sits by St. Mary's at 3.30 p.m. today... or not.", 'it looks up!', 'Then it goes.']
    """
    pieces, start = [], 0
    for end in END.finditer(text):
        if _ends(text[start : end.start()], end.group(), text[end.end() :].lstrip()[:1]):
            pieces.append(text[start : end.end()].strip())
            start = end.end()
    pieces.append(text[start:].strip())
    return [sentence for sentence in pieces if any(letter.isalnum() for letter in sentence)]


def _ends(before: str, mark: str, following: str) -> bool:
    if mark.startswith("..") or (mark.startswith(".") and _abbreviated(before)):
        return not (following.islower() or mark == ".")
    return True


def _abbreviated(before: str) -> bool:
    word = before.split()[-1].lower().strip("\"'(") if before.split() else ""
    return word in ABBREVIATIONS - {"etc", "no"} or (len(word) == 1 and word.isalpha() and word not in "ai")
