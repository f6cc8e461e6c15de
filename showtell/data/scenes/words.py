"""A scene -> five captions in different words, all true and complete.

Every caption names each thing with its colour and shape, and its relation to the hub. Words, order and direction vary:
`a red star is left of a blue heart` and `there is a blue heart to the right of a red star`. Some captions name sizes.
"""

import re
from collections.abc import Callable
from random import Random

from showtell.data.scenes.world import Scene, Thing

PHRASES = {  # the first phrase also fits at the start of a sentence
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}

# {a} is a thing, {a>b} is a's relation to b, such as `left of`. Two things are a and b; three are p, q and the hub h.
TWO = (
    "{a} is {a>b} {b}",
    "there is {a} {a>b} {b}",
    "a picture of {a} {a>b} {b}",
    "{a} sits {a>b} {b}",
    "{a} is placed {a>b} {b}",
    "you can see {a} {a>b} {b}",
)
THREE = (
    "{p} is {p>h} {h} and {q} is {q>h} {h}",
    "there is {p} {p>h} {h} and {q} {q>h} {h}",
    "a picture of {p} {p>h} {h} with {q} {q>h} {h}",
    "{p} sits {p>h} {h} and {q} sits {q>h} {h}",
    "{p} is placed {p>h} {h} with {q} {q>h} {h}",
    "you can see {p} {p>h} {h} and {q} {q>h} {h}",
)
TELLS_SIZES = 0.4  # share of captions that name sizes


def captions(scene: Scene, random: Random, count: int = 5) -> tuple[str, ...]:
    """`count` captions, each from a different one of the six patterns."""
    patterns = random.sample(TWO if len(scene.things) == 2 else THREE, count)
    return tuple(_write(pattern, scene, random) for pattern in patterns)


def _write(pattern: str, scene: Scene, random: Random) -> str:
    hub, *arms = scene.things
    random.shuffle(arms)
    if len(arms) == 1:
        names = dict(zip("ab", random.sample(scene.things, 2), strict=True))
    else:
        names = {"h": hub, "p": arms[0], "q": arms[1]}
    fill = _filler(names, random.random() < TELLS_SIZES, random)
    return re.sub(r"\{(\w)(?:>(\w))?\}", fill, pattern)


def _filler(names: dict[str, Thing], sizes: bool, random: Random) -> Callable[[re.Match[str]], str]:
    """The words for {a} and {a>b}. A thing is `a red star` the first time, and `the red star` after that."""
    named: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        name, other = match.groups()
        thing = names[name]
        if other is not None:
            phrases = PHRASES[_relation(thing, names[other])]
            return phrases[0] if match.start() == 0 else random.choice(phrases)
        if name in named:
            return f"the {thing.colour} {thing.shape}"
        named.add(name)
        return f"a {thing.size} {thing.colour} {thing.shape}" if sizes else f"a {thing.colour} {thing.shape}"

    return fill


def _relation(thing: Thing, other: Thing) -> str:
    across, down = thing.x - other.x, thing.y - other.y
    if abs(across) > abs(down):
        return "left" if across < 0 else "right"
    return "above" if down < 0 else "below"
