"""A caption and its scene -> whether the caption is right, and the reason if it is wrong.

A caption is right if it names every thing with its colour and shape, invents no thing, states only true relations and
sizes, and if its relations connect all things. "A red star and a blue heart" is wrong: it does not relate the two. The
judge has its own parser and measures the scene itself; it shares no code with the patterns that write captions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from showtell.data.scenes.parse import Claims, Named, Unclear, parse
from showtell.data.scenes.world import Scene, Thing
from showtell.plumbing.errors import InputError

LEVEL = 0.15  # centres that differ less than this are level; scenes have only differences below 0.1 or above 0.2


@dataclass(frozen=True)
class Verdict:
    """True in an `if` when the caption is right. Otherwise `reason` says what is wrong."""

    right: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.right


def judge(caption: str, scene: Scene) -> Verdict:
    """Judge a caption. One that the parser does not understand is wrong."""
    try:
        claims = parse(caption)
    except Unclear as error:
        return Verdict(False, f"not understood: {error}")
    things = {Named(thing.colour, thing.shape): thing for thing in scene.things}
    reason = _wrong_things(claims, things) or _wrong_relations(claims, things)
    return Verdict(not reason, reason)


def scene_accuracy(candidates: Mapping[str, str], scenes: Mapping[str, Scene]) -> float:
    """The fraction of the candidates that are right."""
    if not candidates:
        raise InputError("no captions to judge")
    strangers = [image_id for image_id in candidates if image_id not in scenes]
    if strangers:
        raise InputError(f"{len(strangers):,} of {len(candidates):,} captions have no scene (first: {strangers[0]})")
    return sum(judge(caption, scenes[image_id]).right for image_id, caption in candidates.items()) / len(candidates)


def _wrong_things(claims: Claims, things: Mapping[Named, Thing]) -> str:
    for named, sizes in claims.sizes.items():
        if named not in things:
            return f"there is no {named}"
        for size in sizes - {things[named].size}:
            return f"the {named} is {things[named].size}, not {size}"
    missing = [str(named) for named in things if named not in claims.sizes]
    return f"does not name the {missing[0]}" if missing else ""


def _wrong_relations(claims: Claims, things: Mapping[Named, Thing]) -> str:
    for one, relation, other in claims.relations:
        if not _holds(things[one], relation, things[other]):
            side = f"{relation} of" if relation in ("left", "right") else relation
            return f"the {one} is not {side} the {other}"
    connected = {next(iter(things))}
    for _ in things:
        connected |= {end for one, _, other in claims.relations if {one, other} & connected for end in (one, other)}
    apart = [str(named) for named in things if named not in connected]
    return f"does not say where the {apart[0]} is" if apart else ""


def _holds(one: Thing, relation: str, other: Thing) -> bool:
    """Whether the relation is clearly true. A thing at the upper left is neither above nor left."""
    across, down = other.x - one.x, other.y - one.y
    if relation in ("left", "right"):
        return abs(down) < LEVEL < (across if relation == "left" else -across)
    return abs(across) < LEVEL < (down if relation == "above" else -down)
