"""A random scene: two or three coloured shapes, placed so that every relation between them is clear.

The first thing is the hub. Each other thing (an arm) is left of, right of, above or below it, so three things form a
row, a column or a corner. Lengths and coordinates are fractions of the picture's side.
"""

import zlib
from dataclasses import dataclass
from itertools import combinations, product
from random import Random

COLOURS = ("red", "yellow", "green", "blue", "purple", "black")
SHAPES = ("circle", "square", "triangle", "star", "heart")
SIZES = {"small": 0.17, "large": 0.28}
PAIRS = tuple(product(COLOURS, SHAPES))

UNSEEN_SHARE = 8  # one in 8 combinations of two things and their relation is never in train

MARGIN = 0.04  # free space at the border
GAP = 0.07  # free space between neighbours
JITTER = 0.04  # largest random shift of an arm from the hub's row or column
ALIGNED, APART = 0.1, 0.2  # centres up to 0.1 apart share a row or column; from 0.2 on they do not


@dataclass(frozen=True)
class Thing:
    """One shape: its centre (x, y), its width and height (`extent`), and its tilt in degrees."""

    colour: str
    shape: str
    size: str
    x: float
    y: float
    extent: float
    tilt: float


@dataclass(frozen=True)
class Scene:
    """Everything that a picture shows."""

    things: tuple[Thing, ...]
    background: tuple[int, int, int]


def combination(one: Thing, other: Thing) -> str:
    """Two neighbours and their relation: `red star, beside, blue heart`. Swapping the arguments changes nothing."""
    across, down = other.x - one.x, other.y - one.y
    beside = abs(across) > abs(down)
    first, second = (one, other) if (across if beside else down) > 0 else (other, one)
    return f"{first.colour} {first.shape}, {'beside' if beside else 'over'}, {second.colour} {second.shape}"


def held_out(scene: Scene) -> bool:
    """Whether the scene has a combination that is never in train. Such scenes are for val and test.

    A checksum chooses the combinations, so they are the same on every machine. Each single thing is in train.
    """
    hub, *arms = scene.things
    return any(zlib.crc32(combination(hub, arm).encode()) % UNSEEN_SHARE == 0 for arm in arms)


def sample(random: Random, unseen: bool) -> Scene:
    """A random scene for val or test (`unseen`) or for train. Samples again until the scene fits."""
    while True:
        scene = _sample(random)
        if scene is not None and held_out(scene) == unseen:
            return scene


def _sample(random: Random) -> Scene | None:
    count = random.choice((2, 3))
    pairs = random.sample(PAIRS, count)
    sizes = random.choices(tuple(SIZES), k=count)
    extents = [SIZES[size] * random.uniform(0.96, 1.04) for size in sizes]
    centres = _place(random, extents)
    if centres is None or not _plain(centres, extents):
        return None
    things = tuple(
        Thing(colour, shape, size, round(x, 4), round(y, 4), round(extent, 4), round(random.uniform(-8, 8), 1))
        for (colour, shape), size, (x, y), extent in zip(pairs, sizes, centres, extents, strict=True)
    )
    light = random.randint(232, 252)
    background = tuple(light + random.randint(-6, 3) for _ in range(3))
    return Scene(things, (background[0], background[1], background[2]))


def _place(random: Random, extents: list[float]) -> list[tuple[float, float]] | None:
    """The centres, the hub's first; None if the things do not fit into the picture."""
    arms = list(range(1, len(extents)))
    across = random.choice(([], arms, arms[:1], arms[1:]))  # arms left or right of the hub; others are above or below
    along = [index for index in arms if index not in across]
    xs, ys = _line(random, extents, across), _line(random, extents, along)
    if xs is None or ys is None:
        return None
    for index in arms:
        (ys if index in across else xs)[index] = (ys if index in across else xs)[0] + random.uniform(-JITTER, JITTER)
    return [(xs[index], ys[index]) for index in range(len(extents))]


def _line(random: Random, extents: list[float], arms: list[int]) -> dict[int, float] | None:
    """Coordinates of the hub and the arms on one axis, in random order. Two arms are on opposite sides of the hub."""
    order = [0, *arms]
    random.shuffle(order)
    if len(arms) == 2:
        order = [arms[0], 0, arms[1]] if random.random() < 0.5 else [arms[1], 0, arms[0]]
    free = 1 - 2 * MARGIN - GAP * len(arms) - sum(extents[index] for index in order)
    if free < 0:
        return None
    cuts = sorted(random.uniform(0, free) for _ in order)
    line, edge = {}, MARGIN
    for index, cut in zip(order, cuts, strict=True):
        line[index] = edge + cut + extents[index] / 2
        edge += extents[index] + GAP
    return line


def _plain(centres: list[tuple[float, float]], extents: list[float]) -> bool:
    """Whether all relations are clear: no thing leaves the picture or touches another, and any two are in line or not.

    For any two things, the smaller of the distances in x and y is at most ALIGNED or at least APART, never in between.
    """
    for (x, y), extent in zip(centres, extents, strict=True):
        nearest = (MARGIN + extent) / 2  # smallest distance of a centre from the border
        if not all(nearest <= centre <= 1 - nearest for centre in (x, y)):
            return False
    for a, b in combinations(range(len(centres)), 2):
        dx, dy = (abs(p - q) for p, q in zip(centres[a], centres[b], strict=True))
        near, far = min(dx, dy), max(dx, dy)
        if far - (extents[a] + extents[b]) / 2 < GAP * 0.9 or not (near <= ALIGNED or near >= APART):
            return False
    return True
