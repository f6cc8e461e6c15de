"""A caption of several sentences -> its sentences, by rules that English captions keep."""

import re

END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s)")
# A full stop after these, or after a single letter, ends no sentence.
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


def sentences(text: str) -> list[str]:
    """
    >>> sentences("A cat sits by St. Mary's at 3.30 p.m. today... or not. it looks up! ")
    ["A cat sits by St. Mary's at 3.30 p.m. today... or not.", 'it looks up!']
    """
    found, start = [], 0
    for end in END.finditer(text):
        if _ends(text[start : end.start()], end.group(), text[end.end() :].lstrip()[:1]):
            found.append(text[start : end.end()].strip())
            start = end.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if any(letter.isalnum() for letter in sentence)]


def _ends(before: str, mark: str, following: str) -> bool:
    if mark.startswith("..") or (mark.startswith(".") and _abbreviated(before)):
        return not (following.islower() or mark == ".")
    return True


def _abbreviated(before: str) -> bool:
    word = before.split()[-1].lower().strip("\"'(") if before.split() else ""
    return word in ABBREVIATIONS - {"etc", "no"} or (len(word) == 1 and word.isalpha() and word not in "ai")
