"""Captions -> words as coco-caption counts them: Stanford's PTBTokenizer (3.4.1), lower case, punctuation dropped.

At each character every rule of `ptb` is tried and the one that reads furthest wins, the earlier one where two read
equally far; what a rule must see behind its token counts as read, but is not taken. Few rules look over a space:
captions that give them no cause are read word by word, each word once.

Unusual: coco-caption drops punctuation by comparing with upper-case `-LRB-` after lower-casing, so brackets stay as
`-lrb-`; and a telephone number or `1 1/2` is one token with a no-break space inside, which BLEU and CIDEr cut in two
and ROUGE-L does not. So `tokenize` returns a string, tokens one space apart, that each metric cuts as its model does.
"""

import re
from collections.abc import Iterator

from showtell.metrics import ptb
from showtell.metrics.characters import KINDS

NAME = "ptb"
LONG = 500  # characters, from which on it pays to look for what rules need
DROPPED = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])
_NEWLINE = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")
# What may make a rule look over a space: a tag, a rare space, numbers side by side, dots apart, `no. 5`, `B. The`.
# Begun with one class of characters, which Python's `re` looks for ten times as fast as for alternatives.
_LOOKS_FAR = re.compile(
    r"[.\d)<\n\r\v\f\x85\xa0\u2000-\u200a\u2028\u2029\u3000]"
    r"(?:(?<![.\d)])|(?<=[\d)]) +[\d(+]|(?<=\.) (?:[ .\d]|[Ll][Tt][Dd]|(?<![A-Za-z]{2}\. )[A-Z]))"
)
# Most words need no table: letters between spaces, perhaps before one comma or period, that no rule names.
_PLAIN = re.compile(r"(?:([A-Za-z]{2,})[.,]|([A-Za-z]+)(?: [.,])?)(?: +|$)")


class _Words(dict[str, str]):
    """What stands between spaces -> its tokens; begun anew when full, so that memory stays bounded."""

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
    """The caption's tokens, one space apart; newlines are spaces, characters that Java cannot read are left out.

    >>> tokenize("A man's T-shirt (red/white), isn't it?")
    "a man 's t-shirt -lrb- red/white -rrb- is n't it"
    """
    if _LOOKS_FAR.search(caption):
        return read(_NEWLINE.sub(" ", caption))
    return " ".join([tokens for word in caption.split(" ") if (tokens := _WORDS[word])])


def read(text: str) -> str:
    """The tokens of a text without newlines, by the table of rules."""
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
    """Without the rules that would look for a sign from every character to the text's end, and it is not there."""
    named = zip(ptb.RULES, ptb.compiled(), strict=True)
    return [rule for name, rule in named if name not in ptb.NEEDS or ptb.NEEDS[name].search(kinds)]


def _longest(kinds: str, at: int, rules: list[re.Pattern[str]]) -> tuple[int, bool]:
    """Where the token that starts at `at` ends, and whether it is one, not a space or a character to leave out."""
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
