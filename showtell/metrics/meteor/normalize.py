r"""A tokenized caption -> the words that METEOR compares, as with its option `-norm`.

METEOR tokenizes again what coco-caption has tokenized, much like Moses' tokenizer: signs become words, hyphens split
words, `it 's` becomes `it ' s`, `don't` becomes `don 't`, `u.s.` becomes `us`. Found by asking the Java program.
"""

import re
from functools import lru_cache

# These words always keep their period. Most others keep it only before a word in lower case.
PREFIXES = frozenset(["v", "vs", "i.e", "rev", "e.g"])

_PLAIN = re.compile(r"[a-z0-9]+(?: [a-z0-9]+)*")
_SPELLED = {"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "``": '"', "''": '"', "–": " - ", "`": "'"}
_SPELL = re.compile("|".join(map(re.escape, _SPELLED)))
_CUTS = [
    (re.compile(r"([^\w\s.'`,-]|_)"), r" \1 "),
    (re.compile("--"), "-"),
    (re.compile(r"(\w)-(\w)"), r"\1 \2"),  # `a-b-c` becomes `a b-c`: the first match has used up `b`
    (re.compile(r"(\.{2,})"), r" \1 "),
    (re.compile(r"(?<=[^\d]),|,(?=[^\d])"), " , "),
    (re.compile(r"(?<![^\W\d_])'(?![^\W\d_])"), " ' "),
    (re.compile(r"(?<!\w)'(?=[^\W\d_])"), " ' "),
    (re.compile(r"(?<=[^\W\d_])'(?![^\W\d_])"), " ' "),
    (re.compile(r"(?<=[^\W\d_])'(?=[^\W\d_])"), " '"),
    (re.compile(r"(?<=\d)'(?=s)"), " '"),
    (re.compile(r"([\u2e80-\u9fff\uf900-\ufaff])"), r" \1 "),
]
_ACRONYM = re.compile(r"(?<!\S)(?:[^\W\d_]{1,2}\.){2,}(?![^\s-])")
_DOTS = re.compile(r"\.{2,}")


@lru_cache(maxsize=1 << 17)
def normalize(text: str) -> str:
    """Lower-case a text and split it into METEOR's words.

    >>> normalize("a man 's t-shirt (red/white)")
    "a man ' s t shirt ( red / white )"
    """
    if _PLAIN.fullmatch(text):
        return text
    text = f" {text.lower()} "
    text = _SPELL.sub(lambda match: _SPELLED[match[0]], text)
    text = _ACRONYM.sub(lambda match: match[0].replace(".", ""), text)
    for pattern, by in _CUTS:
        text = pattern.sub(by, text)
    words = text.split()
    return " ".join(_period(word, words[at + 1] if at + 1 < len(words) else "") for at, word in enumerate(words))


def _period(word: str, after: str) -> str:
    if not word.endswith(".") or len(word) == 1 or _DOTS.fullmatch(word):
        return word
    stem = word[:-1]
    if ("." in stem and re.search("[a-z]", stem)) or stem in PREFIXES or re.match("[a-z]", after):
        return word
    return f"{stem} ."
