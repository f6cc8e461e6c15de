"""A word -> its stem, by the English Snowball stemmer ("Porter 2") of 2014, which METEOR 1.5 contains.

Written from the algorithm's description. Unusual: the package `snowballstemmer` is newer and treats some words and
endings (`evening`, `-ogist`, `-ess`) in another way, so it cannot be used here.
"""

import re
from functools import lru_cache

_VOWEL = "[aeiouy]"
_REGION = re.compile(f"{_VOWEL}[^aeiouy]")  # R1 follows its first match, R2 the next: `beautiful` has `iful`, `ul`
_PREFIX = re.compile("gener|commun|arsen")  # R1 begins right after these
_SHORT = re.compile("[^aeiouy][aeiouy][^aeiouywxY]$|^[aeiouy][^aeiouy]$")
_DOUBLE = re.compile("(?:bb|dd|ff|gg|mm|nn|pp|rr|tt)$")
_CONSONANT_Y = re.compile("(?<=[aeiouy])y|^y")

EXCEPTIONS = {
    "skis": "ski",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "idly": "idl",
    "gently": "gentl",
    "ugly": "ugli",
    "early": "earli",
    "only": "onli",
    "singly": "singl",
    **{word: word for word in ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")},
}
ENDED = frozenset(["inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"])

# Endings and their replacements. Only the longest ending of the word is tried, and it must lie in R1 (step 4: in R2).
STEP_2 = {
    "tional": "tion",
    "enci": "ence",
    "anci": "ance",
    "abli": "able",
    "entli": "ent",
    "izer": "ize",
    "ization": "ize",
    "ational": "ate",
    "ation": "ate",
    "ator": "ate",
    "alism": "al",
    "aliti": "al",
    "alli": "al",
    "fulness": "ful",
    "ousli": "ous",
    "ousness": "ous",
    "iveness": "ive",
    "iviti": "ive",
    "biliti": "ble",
    "bli": "ble",
    "ogi": "og",
    "fulli": "ful",
    "lessli": "less",
    "li": "",
}
STEP_3 = {
    "tional": "tion",
    "ational": "ate",
    "alize": "al",
    "icate": "ic",
    "iciti": "ic",
    "ical": "ic",
    "ful": "",
    "ness": "",
    "ative": "",
}
STEP_4 = dict.fromkeys(
    [
        *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent"),
        *("ism", "ate", "iti", "ous", "ive", "ize", "ion"),
    ],
    "",
)
_NEEDS_BEFORE = {"ogi": "l", "li": "cdeghkmnrt", "ion": "st"}


def _ending(table: dict[str, str]) -> re.Pattern[str]:
    return re.compile(f"({'|'.join(sorted(table, key=len, reverse=True))})$")


_ENDING_2, _ENDING_3, _ENDING_4 = map(_ending, (STEP_2, STEP_3, STEP_4))


@lru_cache(maxsize=1 << 17)
def stem(word: str) -> str:
    """The stem, which need not be a word.

    >>> stem("riding"), stem("horses"), stem("quickly")
    ('ride', 'hors', 'quick')
    """
    if len(word) <= 2:
        return word
    if word in EXCEPTIONS:
        return EXCEPTIONS[word]
    word = _CONSONANT_Y.sub("Y", word.removeprefix("'"))
    first, second = _regions(word)
    word = _plural(word)
    if word in ENDED:
        return word
    word = _participle(word, first)
    if len(word) > 2 and word[-1] in "yY" and word[-2] not in "aeiouy":
        word = word[:-1] + "i"
    word = _replaced(word, _ENDING_2, STEP_2, first, first)
    word = _replaced(word, _ENDING_3, STEP_3, first, second)
    word = _replaced(word, _ENDING_4, STEP_4, second, second)
    return _last_letter(word, first, second).replace("Y", "y")


def _regions(word: str) -> tuple[int, int]:
    """Where the regions R1 and R2 begin."""
    prefix = _PREFIX.match(word) or _REGION.search(word)
    first = prefix.end() if prefix else len(word)
    inner = _REGION.search(word, first)
    return first, inner.end() if inner else len(word)


def _plural(word: str) -> str:
    word = re.sub("('s'|'s|')$", "", word)
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[: -2 if len(word) > 4 else -1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and re.search(_VOWEL, word[:-2]):
        return word[:-1]
    return word


def _participle(word: str, first: int) -> str:
    if ending := re.search("(eedly|eed)$", word):
        return word[: ending.start()] + "ee" if ending.start() >= first else word
    ending = re.search("(ingly|edly|ing|ed)$", word)
    if not ending or not re.search(_VOWEL, word[: ending.start()]):
        return word
    word = word[: ending.start()]
    if word.endswith(("at", "bl", "iz")) or (first >= len(word) and _SHORT.search(word)):
        return word + "e"
    return word[:-1] if _DOUBLE.search(word) else word


def _replaced(word: str, endings: re.Pattern[str], table: dict[str, str], first: int, second: int) -> str:
    ending = endings.search(word)
    if not ending:
        return word
    at, letters = ending.start(), ending[1]
    before = _NEEDS_BEFORE.get(letters)
    if at < (second if letters == "ative" else first) or (before and word[at - 1 : at] not in list(before)):
        return word
    return word[:at] + table[letters]


def _last_letter(word: str, first: int, second: int) -> str:
    at = len(word) - 1
    if word.endswith("e") and (at >= second or (at >= first and not _SHORT.search(word[:-1]))):
        return word[:-1]
    if word.endswith("ll") and at >= second:
        return word[:-1]
    return word
