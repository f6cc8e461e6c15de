"""Captions -> words as coco-caption counts them: Stanford's PTBTokenizer (3.4.1), lower case, punctuation dropped.

At each character every rule of `ptb` is tried. The rule that reads furthest wins; if two read equally far, the earlier.
What a rule reads after its token counts as read, but is not part of the token. Few rules read past a space, so most
captions are tokenized word by word, and each different word only once.

Unusual: coco-caption drops punctuation after lower-casing, but compares with upper-case `-LRB-`. So brackets stay, as
`-lrb-`. A telephone number or `1 1/2` is one token with a no-break space inside; BLEU and CIDEr split it there, ROUGE-L
does not. So `tokenize` returns a string with a space between tokens, and each metric splits it as its original does.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache

from showtell.metrics import ptb
from showtell.metrics.characters import KINDS
from showtell.plumbing.scripts import UNSPACED, script

NAME = "ptb"
LONG = 500  # characters; for longer texts it pays to check first which rules can match
DROPPED = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])
_NEWLINE = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")
# What can make a rule read past a space: a tag, a rare space, two numbers, dots with spaces, `no. 5`, `B. The`.
# It begins with one class of characters, because Python's `re` finds that ten times as fast as alternatives.
_LOOKS_FAR = re.compile(
    r"[.\d)<\n\r\v\f\x85\xa0\u2000-\u200a\u2028\u2029\u3000]"
    r"(?:(?<![.\d)])|(?<=[\d)]) +[\d(+]|(?<=\.) (?:[ .\d]|[Ll][Tt][Dd]|(?<![A-Za-z]{2}\. )[A-Z]))"
)
# Most words need no rules: letters between spaces, perhaps before one comma or period, that no rule names.
_PLAIN = re.compile(r"(?:([A-Za-z]{2,})[.,]|([A-Za-z]+)(?: [.,])?)(?: +|$)")


class _Words(dict[str, str]):
    """A cache: the text between two spaces -> its tokens. It is emptied when full, so memory stays bounded."""

    def __init__(self, most: int = 1 << 17, longest: int = 64) -> None:
        self.most, self.longest = most, longest

    def __missing__(self, word: str) -> str:
        if len(self) >= self.most:
            self.clear()
        tokens = read(word)
        if len(word) <= self.longest:
            self[word] = tokens
        return tokens


_WORDS = _Words()


def tokenize(caption: str) -> str:
    """The caption's tokens with a space between them. Newlines count as spaces; what Java cannot read is dropped.

    >>> tokenize("A man's T-shirt (red/white), isn't it?")
    "a man 's t-shirt -lrb- red/white -rrb- is n't it"
    """
    if _LOOKS_FAR.search(caption):
        return read(_NEWLINE.sub(" ", caption))
    return " ".join([tokens for word in caption.split(" ") if (tokens := _WORDS[word])])


def characters(caption: str) -> str:
    """Like `tokenize`, but each letter of a script without blanks between words (Chinese, Thai) is a token.

    >>> characters("一只dog在跑。")
    '一 只 dog 在 跑'
    """
    if caption.isascii():
        return tokenize(caption)
    return tokenize("".join(map(_apart, unicodedata.normalize("NFC", caption))))


@cache
def _apart(letter: str) -> str:
    """The letter between blanks if its script has none; signs of such scripts become blanks."""
    if script(letter) in UNSPACED:
        return f" {letter} "
    return " " if not letter.isascii() and unicodedata.category(letter)[0] == "P" else letter


WORDS: dict[str, Callable[[str], str]] = {NAME: tokenize, "characters": characters}


def read(text: str) -> str:
    """The tokens of a text without newlines, by all rules."""
    return " ".join(token for token in _tokens(text) if token and token not in DROPPED)


def _tokens(text: str) -> Iterator[str]:
    kinds = (text if text.isascii() and text.isprintable() else text.translate(KINDS)) + "\n"
    rules = ptb.compiled() if len(kinds) < LONG else _possible(kinds)
    at = 0
    while at < len(text):
        plain = _PLAIN.match(text, at)
        if plain and (word := (plain[1] or plain[2]).lower()) not in ptb.NAMED:
            yield word
            at = plain.end()
            continue
        end, is_token = _longest(kinds, at, rules)
        if is_token:
            token = text[at:end].lower()
            yield _written(token.rstrip() if end == len(text) else token, kinds[at:end])
        at = end


def _possible(kinds: str) -> list[re.Pattern[str]]:
    """The rules that can match. Others would search the text, from each character, for a sign that it does not have."""
    named = zip(ptb.RULES, ptb.compiled(), strict=True)
    return [rule for name, rule in named if name not in ptb.NEEDS or ptb.NEEDS[name].search(kinds)]


def _longest(kinds: str, at: int, rules: list[re.Pattern[str]]) -> tuple[int, bool]:
    """Where the token at `at` ends, and whether it is a token (if not, it is a space or a character to drop)."""
    spaces = ptb.SPACES.match(kinds, at)
    furthest = begin = spaces.end() if spaces else at
    end = max(begin, at + 1)
    for rule in rules:
        match = rule.match(kinds, at)
        if match and match.end() > furthest:
            furthest, end = match.end(), match.end(match.lastindex or 0)
    return end, furthest > begin


def _written(token: str, kinds: str) -> str:
    if kinds in ptb.WRITTEN:
        return ptb.WRITTEN[kinds]
    if kinds.lower() in ptb.ANY_CASE:
        return ptb.WRITTEN[kinds.lower()]
    if ptb.DROPPED_SIGN.fullmatch(kinds):
        return "."
    if ptb.QUOTES.fullmatch(kinds):
        written = kinds.translate(ptb.ASCII_QUOTES)
        return written if "‚" not in written else token
    if ptb.ELIDED.fullmatch(kinds):
        return kinds.replace("&apos;", "'").translate(ptb.ASCII_QUOTES).lower()
    if "&" in token and ptb.COMPANY.fullmatch(kinds):
        token = token.replace("&amp;", "&")
    if "\xad" in token and not ptb.HIDDEN_HYPHEN_STAYS.search(token):
        token = token.replace("\xad", "")
    token = token.replace("(", "-lrb-").replace(")", "-rrb-")
    return token.replace(" ", "\xa0")
