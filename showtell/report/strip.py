"""A photo, its caption and an explanation -> one picture: the photo, then a map for each word that names something.

A function word shares the panel of the next such word, because its map says little: `of the` stands small beside
`grass`. Below each panel stands what masking the places of its map costs the word, beside random places. So a reader
sees whether the map means anything.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea
from PIL import Image

from showtell.explain.explanation import Deletion, Explanation
from showtell.explain.words import Panel, panels
from showtell.report.heat import are_regions, outlined, overlay, thumbnail

DPI = 150
WIDTH = 11.0  # inches of a figure
HEIGHT, WIDTHS = 1.75, (1.1, 4.0)  # inches of a panel; the limits are for very tall or wide photos
MANY, SMALLER = 24, 0.7  # if there are more panels, they are drawn smaller
WORD, COST, GAP = 0.33, 0.24, 0.12  # inches: the line above a panel, the line below it, the space beside it
MOST_COLUMNS = 12
SIDE = 560  # pixels of a panel's longer side
INK, SOFT = "#1b1e23", "#5d646f"
LETTER = 0.092  # inches that a letter of the smaller words is wide, about


def attention_figure(
    image: Image.Image, explanation: Explanation, chosen: Sequence[int] | None = None, smooth: bool = True
) -> Figure:
    """The caption on top; below it the photo, then the maps. `chosen` are numbers of words; by default all words.

    Without `smooth`, the visual tokens have hard edges.
    """
    shown = panels(explanation.words, chosen)
    pictures = [thumbnail(image, SIDE), *(_picture(image, explanation, panel.number, smooth) for panel in shown)]
    slot, tall = _panel(image.width / image.height, len(pictures))
    columns = _columns(len(pictures), int((WIDTH + GAP) / (slot + GAP)))
    rows = -(-len(pictures) // columns)
    width = max(columns * (slot + GAP) + GAP, 3.2)
    caption = textwrap.wrap(explanation.text or "(no words)", max(int(width * 7.2), 16))
    notes = [part for text in _notes(explanation, shown) for part in textwrap.wrap(text, max(int(width * 14.5), 30))]
    head, foot = 0.29 * len(caption) + 0.1, 0.17 * len(notes) + 0.1
    height = head + rows * (WORD + tall + COST) + foot
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    style: dict[str, Any] = {"parse_math": False, "va": "top"}
    figure.text(GAP / width, 1 - 0.1 / height, "\n".join(caption), fontsize=15, weight="bold", color=INK, **style)
    figure.text(GAP / width, foot / height, "\n".join(notes), fontsize=9, color=SOFT, linespacing=1.35, **style)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        left = GAP + column * (slot + GAP)
        bottom = height - head - row * (WORD + tall + COST) - WORD - tall
        axes = figure.add_axes((left / width, bottom / height, slot / width, tall / height))
        axes.imshow(picture, interpolation="lanczos")
        axes.set_axis_off()
        if number:
            _label(axes, explanation, shown[number - 1], slot)
    return figure


def _picture(image: Image.Image, explanation: Explanation, number: int, smooth: bool) -> Image.Image:
    weights = explanation.maps[number]
    picture = overlay(image, weights, explanation.boxes, SIDE, smooth)
    return outlined(picture, weights, explanation.boxes) if are_regions(explanation.boxes) else picture


def _label(axes: Axes, explanation: Explanation, panel: Panel, slot: float) -> None:
    """The word above its map, large, with the small words beside it; its cost below."""
    word = _short(panel.words[panel.at], slot)
    before, after = _beside(panel, slot - len(word) * LETTER * 1.5)
    texts = [(before, 10.5, SOFT, "normal"), (word, 15, INK, "bold"), (after, 10.5, SOFT, "normal")]
    children: list[Artist] = []
    for text, size, colour, weight in texts:
        if text:
            style = {"fontsize": size, "color": colour, "weight": weight, "parse_math": False}
            children.append(TextArea(text, textprops=style))
    packed = HPacker(children=children, align="baseline", pad=0, sep=4)
    place: dict[str, Any] = {"frameon": False, "pad": 0, "borderpad": 0.1, "bbox_to_anchor": (0.5, 1.0)}
    axes.add_artist(AnchoredOffsetbox("lower center", child=packed, bbox_transform=axes.transAxes, **place))
    axes.set_label(" ".join(panel.words))
    if explanation.deletion is not None:
        text = costs(explanation.deletion, panel.number)
        axes.text(0.5, -0.02, text, transform=axes.transAxes, ha="center", va="top", fontsize=9, color=SOFT)


def costs(deletion: Deletion, number: int) -> str:
    """In a few words, for below a panel: `costs 1.20, random 0.02`."""
    fall, chance = float(deletion.falls[number]), float(deletion.chance[number])
    return f"costs {_signed(fall)}, random {_signed(chance)}"


def sentence(deletion: Deletion, numbers: Sequence[int]) -> str:
    """What masking costs the words of a picture, on average."""
    fall = sum(float(deletion.falls[number]) for number in numbers) / len(numbers)
    chance = sum(float(deletion.chance[number]) for number in numbers) / len(numbers)
    what = "the fifth" if deletion.share == 0.2 else f"the {deletion.share:.0%}"
    random = "a random fifth" if deletion.share == 0.2 else "as many random places"
    return (
        f"Masking {what} of the photo that a map points at costs these words {_signed(fall)} of log-probability on "
        f"average, {random} {_signed(chance)}."
    )


def _notes(explanation: Explanation, shown: Sequence[Panel]) -> list[str]:
    notes = [f"Maps: {explanation.manner}."]
    if explanation.deletion is not None and shown:
        notes.append(sentence(explanation.deletion, [panel.number for panel in shown]))
    return notes


def _signed(value: float) -> str:
    """
    >>> _signed(1.2), _signed(-0.004), _signed(-0.3)
    ('1.20', '0.00', '−0.30')
    """
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def _panel(aspect: float, count: int) -> tuple[float, float]:
    """Width and height of a panel in inches."""
    height = HEIGHT * (SMALLER if count > MANY else 1)
    width = min(max(aspect * height, WIDTHS[0]), WIDTHS[1])
    return width, min(width / aspect, height)


def _columns(count: int, fit: int) -> int:
    """How many panels stand in a row: no more than fit, and spread evenly over the rows.

    >>> _columns(9, 8)  # 5 + 4 rather than 8 + 1
    5
    """
    most = max(1, min(fit, MOST_COLUMNS))
    rows = -(-count // most)
    return -(-count // rows)


def _beside(panel: Panel, room: float) -> tuple[str, str]:
    """The small words before and after, cut to the room in inches."""
    most = int(room / LETTER)
    before, after = " ".join(panel.words[: panel.at]), " ".join(panel.words[panel.at + 1 :])
    if len(before) + len(after) <= most:
        return before, after
    kept = most - min(len(after), 2)
    before = before if len(before) <= kept else f"…{before[-kept + 1 :]}" if kept > 2 else ""
    return before, after if len(before) + len(after) <= most else ""


def _short(word: str, inches: float) -> str:
    """The word, cut with dots if it is wider than its panel."""
    most = max(int(inches / (LETTER * 1.5)), 4)
    return word if len(word) <= most else word[: most - 1] + "…"
