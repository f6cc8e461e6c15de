"""A scene -> its picture. It is drawn four times larger and then shrunk, which makes edges smooth even at 64 pixels."""

from math import cos, pi, sin, tau

from PIL import Image, ImageDraw

from showtell.data.scenes.world import Scene, Thing

RGB = {
    "red": (217, 45, 45),
    "yellow": (248, 201, 24),
    "green": (38, 158, 82),
    "blue": (45, 105, 220),
    "purple": (150, 64, 190),
    "black": (44, 44, 50),
}
ENLARGED = 4

Outline = list[tuple[float, float]]  # corners in a box of side 1 with its centre at (0, 0); y points down


def _star() -> Outline:
    radii = (0.53, 0.235)
    turns = [(radii[corner % 2], corner * pi / 5) for corner in range(10)]
    return [(radius * sin(turn), -radius * cos(turn) + 0.03) for radius, turn in turns]


def _heart() -> Outline:
    turns = [step * tau / 40 for step in range(40)]
    return [(sin(t) ** 3 / 2, -(13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t)) / 32 - 0.04) for t in turns]


OUTLINES = {
    "circle": [(cos(step * tau / 48) * 0.49, sin(step * tau / 48) * 0.49) for step in range(48)],
    "square": [(-0.43, -0.43), (0.43, -0.43), (0.43, 0.43), (-0.43, 0.43)],
    "triangle": [(0.0, -0.48), (0.5, 0.4), (-0.5, 0.4)],
    "star": _star(),
    "heart": _heart(),
}


def draw(scene: Scene, size: int) -> Image.Image:
    """An RGB picture of `size` x `size` pixels."""
    canvas = Image.new("RGB", (size * ENLARGED, size * ENLARGED), scene.background)
    brush = ImageDraw.Draw(canvas)
    for thing in scene.things:
        brush.polygon(_corners(thing, size * ENLARGED), fill=RGB[thing.colour])
    return canvas.reduce(ENLARGED)


def _corners(thing: Thing, side: int) -> Outline:
    turn = thing.tilt * pi / 180
    return [
        (
            side * (thing.x + thing.extent * (x * cos(turn) - y * sin(turn))),
            side * (thing.y + thing.extent * (x * sin(turn) + y * cos(turn))),
        )
        for x, y in OUTLINES[thing.shape]
    ]
