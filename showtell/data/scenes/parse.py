"""A caption -> its claims: which things there are, and how they stand to each other.

The parser shares nothing with the patterns that write captions. It has a larger vocabulary and its own grammar.

1. A lexer turns words into items of one letter each. `a red star is left of a blue heart` becomes O B R O: thing, is,
   relation, thing.
2. Clauses are regular expressions over these letters. This caption is `O` (a thing), then `BRO` (its relation).

The parser rejects a caption if it does not know a word, or if the caption can mean two things. So no caption counts as
right by luck.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

LONGEST = 1000  # characters

# Each name with its synonyms. The last line of both tables has what no scene contains, but a caption may claim.
COLOURS = {
    "red": "red crimson scarlet",
    "yellow": "yellow golden",
    "green": "green",
    "blue": "blue",
    "purple": "purple violet",
    "black": "black",
    **{other: other for other in ("orange", "pink", "white", "grey", "gray", "brown", "cyan", "turquoise")},
}
SHAPES = {
    "circle": "circle disc disk dot ball",
    "square": "square box",
    "triangle": "triangle",
    "star": "star",
    "heart": "heart",
    **{other: other for other in ("rectangle", "oval", "ellipse", "diamond", "pentagon", "hexagon", "cross", "moon")},
}
SIZES = {"small": "small little tiny smaller", "large": "large big huge larger bigger"}

SIDE = r"(?:the )?(?:immediate |far )?{0}(?: hand)?(?: side)?"
EXACTLY = r"(?:(?:just|right|directly|immediately|slightly|somewhere|straight|far) )?"
OF_SIDE = EXACTLY + r"(?:(?:to|on|at) )?" + SIDE + " of"
ITS_SIDE = EXACTLY + r"(?:to|on|at) its (?:immediate |far )?{0}(?: hand)?(?: side)?"

# kind -> its phrases. The lexer tries the kinds in this order.
WORDS = {
    "left": OF_SIDE.format("left"),
    "right": OF_SIDE.format("right"),
    "above": EXACTLY + r"(?:above|over|atop|on (?:the )?top of|higher than)",
    "below": EXACTLY + r"(?:below|under|underneath|beneath|lower than)",
    "its left": ITS_SIDE.format("left"),
    "its right": ITS_SIDE.format("right"),
    "nothing": r"(?:(?:a|the|this) )?(?:picture|image|photo|drawing|scene)(?: (?:of|shows|showing|contains|with|has))?"
    r"|in (?:the|this) (?:picture|image|photo|drawing|scene)|(?:you|we|one) (?:can )?see|i see|here",
    "be": r"(?:there )?(?:(?:can|may) be |is |are |has been )?(?:sits?|sitting|stands?|standing|lies|lie|lying|rests?"
    r"|appears?|hovers?|floats?|seen|placed|located|positioned|situated|found|shown|drawn|is|are|being)(?: there)?",
    "a": "an?|another|one",
    "the": "the|this",
    "size": "|".join(SIZES.values()).replace(" ", "|"),
    "shade": "bright|plain|solid|filled|coloured|colored",
    "colour": "|".join(COLOURS.values()).replace(" ", "|"),
    "shape": "|".join(SHAPES.values()).replace(" ", "|"),
    "and": "and|while|whereas|but|also|both|then|,",
    "with": "with|has|having",
    "which": "which|that",
    "it": "it",
    "stop": r"[.;:!]",
}
LEXER = re.compile(
    "|".join(f"(?P<{kind.replace(' ', '_')}>(?:{words})(?!\\w))" for kind, words in WORDS.items())
    + r"|(?P<unknown>\S+)"
)
CANON = {
    word: canon
    for table in (COLOURS, SHAPES, SIZES)
    for canon, words in table.items()
    for word in words.split()
}  # fmt: skip

# Letters: O a thing, R `left of` (a thing follows), T `to its left` (nothing follows), I `it`, B `is`, A `and`,
# W `with`, H `which`, P a full stop.
LETTERS = {"be": "B", "and": "A", "with": "W", "which": "H", "it": "I", "stop": "P"}
# The things after a relation, as in `left of a star and a heart`. In `left of a star and a heart is ...`, the heart
# begins the next clause instead.
TARGET = "(?P<other>I|O(?:A+O(?!A*[BRTHW]))*)"
FOUND = TARGET.replace("other", "one")
CLAUSES = {  # tried in this order; the group `one` is left of (or above ..) the group `other`
    "inverted": re.compile(f"[AWP]*R(?P<other>[IO])A*B+{FOUND}"),  # left of a star is a heart
    "fronted": re.compile("R(?P<other>O)A+(?P<one>O)(?![BRTHW])"),  # left of a star, a heart
    "its inverted": re.compile(f"[AP]*TA*B+{FOUND}"),  # to its left is a heart
    "relation": re.compile(f"(?P<link>[AB]*H?[AB]*)R{TARGET}"),  # is left of a star
    "its relation": re.compile("(?P<link>[AB]*H?[AB]*)T"),  # is to its left
    "things": re.compile("(?P<link>[ABWP]*|A*HW)(?P<one>O(?:A+O)*)"),  # a heart and a star
    "end": re.compile("[AP]+$"),
}


class Unclear(ValueError):
    """A caption that cannot be understood for certain; the message is the reason."""


class Named(NamedTuple):
    """A thing, identified by colour and shape."""

    colour: str
    shape: str

    def __str__(self) -> str:
        return f"{self.colour} {self.shape}"


@dataclass
class Claims:
    """`sizes`: each thing, in the order of the caption, with its claimed sizes. `relations`: (one, relation, other)."""

    sizes: dict[Named, set[str]] = field(default_factory=dict)
    relations: list[tuple[Named, str, Named]] = field(default_factory=list)


class Item(NamedTuple):
    letter: str
    meaning: Named | str = ""  # the thing of O, the relation of R and T


def parse(caption: str) -> Claims:
    """The claims of a caption. Raises `Unclear` with the reason if it cannot be understood.

    >>> parse("A red star is left of a big blue heart.").relations
    [(Named(colour='red', shape='star'), 'left', Named(colour='blue', shape='heart'))]
    """
    if len(caption) > LONGEST:
        raise Unclear(f"longer than {LONGEST:,} characters")
    claims = Claims()
    items = _items(caption, claims)
    if not claims.sizes:
        raise Unclear("names no thing")
    _Reader(items, claims).read()
    return claims


def _items(caption: str, claims: Claims) -> list[Item]:
    """Words -> items. All words of a thing, such as `the small red star`, become one item."""
    text = " ".join(re.findall(r"\w+|[^\w\s]", re.sub("['’]s\\b", " is", caption.lower()).replace("-", " ")))
    items: list[Item] = []
    phrase: dict[str, str] = {}
    for match in LEXER.finditer(text):
        kind, word = str(match.lastgroup).replace("_", " "), match.group()
        if kind == "unknown":
            raise Unclear(f"{word!r} is not a word for scenes")
        if kind in ("a", "the", "size", "colour", "shade"):
            if kind in phrase:
                raise Unclear(f"{phrase[kind]!r} and {word!r} for one thing")
            phrase[kind] = word
        elif kind == "shape":
            items.append(Item("O", _thing(phrase | {"shape": word}, claims)))
            phrase = {}
        elif phrase:
            raise Unclear(f"{' '.join(phrase.values())!r} without a shape")
        elif kind != "nothing":
            items.append(_item(kind))
    if phrase:
        raise Unclear(f"{' '.join(phrase.values())!r} without a shape")
    return items


def _item(kind: str) -> Item:
    if kind in LETTERS:
        return Item(LETTERS[kind])
    return Item("T", kind.removeprefix("its ")) if kind.startswith("its ") else Item("R", kind)


def _thing(phrase: dict[str, str], claims: Claims) -> Named:
    """The thing of a phrase.

    A known thing may be repeated without its colour: `the star`. `a star` or `another star` would be a second one.
    """
    shape = CANON[phrase["shape"]]
    if "colour" in phrase:
        thing = Named(CANON[phrase["colour"]], shape)
    else:
        known = [named for named in claims.sizes if named.shape == shape]
        if len(known) != 1 or "a" in phrase:
            raise Unclear(f"{shape!r} without a colour")
        thing = known[0]
    if thing in claims.sizes and "a" in phrase:
        raise Unclear(f"names a second {thing}")
    sizes = claims.sizes.setdefault(thing, set())
    if "size" in phrase:
        sizes.add(CANON[phrase["size"]])
    return thing


class _Reader:
    """Reads clause by clause, and remembers which things the next clause may refer to."""

    def __init__(self, items: list[Item], claims: Claims) -> None:
        self.items, self.claims = items, claims
        self.letters = "".join(item.letter for item in items)
        self.place = 0
        self.subjects: list[Named] = []  # the subjects of a clause without its own, such as `and above a star`
        self.latest: list[Named] = []  # the things that `which` refers to
        self.owner: list[Named] = []  # `it` in `a star with a heart above it`: the star

    def read(self) -> None:
        while self.place < len(self.letters):
            clause, match = self._next()
            if "P" in match.group():
                self.owner = []
            if clause == "things":
                self._introduce(match)
            elif clause in ("inverted", "fronted", "its inverted"):
                self.subjects = self.latest = self._things(match, "one")
                self._relate(match)
            elif clause != "end":
                # `which` refers to the latest things. So does a relation right after them: `a heart above a star`.
                if "H" in match["link"] or not match["link"]:
                    self.subjects = self.latest
                self._relate(match)
            self.place = match.end()

    def _next(self) -> tuple[str, re.Match[str]]:
        for clause, pattern in CLAUSES.items():
            match = pattern.match(self.letters, self.place)
            if match and (clause != "fronted" or self.place == 0):
                return clause, match
        raise Unclear("the grammar of the sentence is unknown")

    def _introduce(self, match: re.Match[str]) -> None:
        if "H" in match["link"]:
            self.owner = self.latest
        elif "W" in match["link"]:
            self.owner = self.subjects if self.subjects == self.latest else []
        self.subjects = self.latest = self._things(match, "one")

    def _relate(self, match: re.Match[str]) -> None:
        """Add a claim for each pair of a subject and a thing after the relation (or the thing that `it` means).

        `a star and a heart are left of a circle` gives two claims.
        """
        place = next(place for place in range(*match.span()) if self.letters[place] in "RT")
        of_it = self.letters[place] == "T" or match["other"] == "I"
        others = self._it() if of_it else self._things(match, "other")
        if not self.subjects:
            raise Unclear("a relation without its first thing")
        for one in self.subjects:
            for other in others:
                if one == other:
                    raise Unclear(f"relates the {one} to itself")
                self.claims.relations.append((one, str(self.items[place].meaning), other))
        self.latest = self.subjects if of_it else others
        if of_it and self.owner:
            self.subjects = self.owner

    def _things(self, match: re.Match[str], group: str) -> list[Named]:
        items = self.items[match.start(group) : match.end(group)]
        if any(item.letter == "I" for item in items):
            return self._it()
        return [item.meaning for item in items if isinstance(item.meaning, Named)]

    def _it(self) -> list[Named]:
        """The thing that `it` means: the owner, or else the only thing named before that is not a subject."""
        named = {item.meaning for item in self.items[: self.place] if isinstance(item.meaning, Named)}
        meant = self.owner or list(named - set(self.subjects) or named)
        if len(meant) != 1:
            raise Unclear("'it' may mean several things" if meant else "'it' means nothing named before")
        return meant
