"""A planted truth: in drawn scenes the place of every thing is known. So is where the map of `star` must point.

`a red star` names the scene's red star, and the star's box is known. Two rules of the pointing game (Zhang et al.,
arXiv:1608.00507) say whether the map of the word `star` is right: its strongest part touches the box, which allows an
error of half a part; or, stricter, this part's centre lies in the box. And a share of the map lies in the box.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from showtell.data.scenes.scenes import INDEX, read_scenes
from showtell.data.scenes.world import COLOURS, SHAPES, Scene
from showtell.explain.explanation import Parts

BY_CHANCE = "random"
_READ: dict[Path, dict[str, Scene]] = {}


class Hit(NamedTuple):
    """Whether the strongest part touches the thing, and has its centre in it; and the share of the map inside."""

    touches: float
    inside: float
    share: float


def things_in(path: Path) -> Scene | None:
    """The scene that a photo shows, or None if it is no drawn scene."""
    folder = path.parent
    if folder not in _READ:
        _READ[folder] = read_scenes(folder) if (folder / INDEX).is_file() else {}
    return _READ[folder].get(path.name)


def named(words: Sequence[str], scene: Scene) -> dict[int, Float[Tensor, " 4"]]:
    """The numbers of the words that name a thing of the scene, with its box: of `a red star` the word `star`."""
    boxes = {
        (thing.colour, thing.shape): torch.tensor([thing.x, thing.y, thing.x, thing.y])
        + torch.tensor([-1, -1, 1, 1]) * thing.extent / 2
        for thing in scene.things
    }
    found, colour = {}, ""
    for number, word in enumerate(words):
        if word in COLOURS:
            colour = word
        elif word in SHAPES:
            if (colour, word) in boxes:
                found[number] = boxes[colour, word]
            colour = ""
    return found


def hits(parts: Parts, maps: Mapping[str, Float[Tensor, "T N"]], scene: Scene | None) -> dict[str, list[Hit]]:
    """For each method, one Hit for each thing that the caption names; `random` is an even map. No scene, no hits."""
    if scene is None:
        return {}
    truth = named([word.text for word in parts.words], scene)
    even = torch.ones(len(parts.words), len(parts.boxes))
    found = {}
    for name, each in {**maps, BY_CHANCE: even}.items():
        found[name] = [hit(each[number], parts.boxes, box, name == BY_CHANCE) for number, box in truth.items()]
    return found


def hit(weights: Float[Tensor, " N"], boxes: Float[Tensor, "N 4"], box: Float[Tensor, " 4"], even: bool = False) -> Hit:
    """`even` is a map without a strongest part: then each part is it by chance."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((centres >= box[:2]) & (centres <= box[2:])).all(1).float()
    corners = torch.minimum(boxes[:, 2:], box[2:]) - torch.maximum(boxes[:, :2], box[:2])
    covered = corners.clamp(min=0).prod(1) / (boxes[:, 2:] - boxes[:, :2]).prod(1).clamp(min=1e-12)
    touches = (covered > 0).float()
    positive = weights.clamp(min=0)
    share = (positive * covered).sum() / positive.sum().clamp(min=1e-12)
    if even:
        return Hit(float(touches.mean()), float(inside.mean()), float(share))
    strongest = weights.argmax()
    return Hit(float(touches[strongest]), float(inside[strongest]), float(share))
