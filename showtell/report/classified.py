"""Classified photos -> lines for a terminal, and pictures: a photo and the bars of its likeliest labels."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from showtell.data.images import open_image
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole
from showtell.plumbing.messages import count, printable
from showtell.plumbing.progress import Bar
from showtell.report.explained import picture_names
from showtell.report.figures import DPI, png
from showtell.report.heat import thumbnail
from showtell.zeroshot.classify import Classified
from showtell.zeroshot.judged import Judged, judge, mixed_pairs

BARS = 5
RIGHT, OTHER, UNKNOWN = "#2a9d63", "#b9bec8", "#2f6fde"
WIDTH, HEIGHT, PHOTO = 7.6, 2.6, 2.6  # inches
LONGEST = 28  # characters of a label beside its bar


def lines(found: Classified, top: int = BARS) -> Iterator[RenderableType]:
    """What `classify` prints if the truth is known: the ways side by side, and what is mixed up most."""
    judged = judge(found, top)
    best = max(judged, key=lambda way: way.accuracy)
    classes = len({found.truth[image_id] for image_id in found.judged})
    photos = count(len(found.judged), "photo")
    yield Text(f"accuracy on {photos} of {classes} classes, {len(found.labels.names)} labels", style="bold")
    yield _table(judged, top, len(found.labels.names))
    if unknown := len(found.image_ids) - len(found.judged):
        yield Text(f"{count(unknown, 'photo')} without a truth: not counted")
    if len(judged) > 1:
        yield Text(f"best: {best.name!r}. It was chosen on these photos, so its accuracy is optimistic.")
        yield Text("p: paired test against the best, swaps of photos, corrected for the number of prompts (Holm)")
    if pairs := mixed_pairs(found):
        yield Text(f"\nmixed up most ({found.ways[-1].name})", style="bold")
        for pair in pairs:
            both = f"{pair.first_as_second} {pair.first} called {pair.second}"
            both += f", {pair.second_as_first} the other way" if pair.second_as_first else ""
            yield Text(f"{both}: {', '.join(map(printable, pair.examples))}")


def _table(judged: list[Judged], top: int, labels: int) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("prompt", no_wrap=True, max_width=40)
    tops = [f"top-{top}"] if top < labels else []  # of five labels, the five likeliest always have the truth
    for name in ("accuracy", "95 % interval", *tops, "class recall", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for way in judged:
        low, high = (_share(end) for end in way.interval)
        p = "best" if way.p is None else f"{way.p:.3f}"
        interval, in_top = f"{low} to {high}", [_share(way.top)] if tops else []
        table.add_row(Text(way.name), _share(way.accuracy), interval, *in_top, _share(way.recall), p)
    return table


def _share(value: float) -> str:
    """
    >>> _share(0.8143), _share(1.0)
    ('.814', '1.000')
    """
    return f"{value:.3f}".removeprefix("0")


def each_photo(found: Classified, top: int) -> Iterator[str]:
    """One line for each photo that could be read, in order: its likeliest labels."""
    order, likely, names = found.order, found.probabilities, found.labels.names
    for row, image_id in enumerate(found.image_ids):
        some = (f"{names[place]} {_share(likely[row, place])}" for place in order[row, :top])
        yield f"{printable(image_id)}: {', '.join(some)}"


def draw_bars(found: Classified, folder: Path, console: Console | None = None) -> int:
    """A PNG for each photo that could be read, into `folder`; returns how many."""
    read = {image_id: found.photos[image_id] for image_id in found.image_ids}
    names, likely, order = picture_names(read, folder), found.probabilities, found.order[:, :BARS]
    show = console is not None
    with Bar(console or Plain(stderr=True), "drawing", len(read), "picture", show=show) as bar:
        for row, (image_id, path) in enumerate(read.items()):
            some = {found.labels.names[place]: float(likely[row, place]) for place in order[row]}
            figure = bars_figure(open_image(path, at_least=480), some, _truth(found, image_id))
            _write(names[image_id], png(figure))
            bar.advance()
    return len(read)


def _truth(found: Classified, image_id: str) -> str | None:
    return found.labels.names[found.truth[image_id]] if image_id in found.truth else None


def bars_figure(image: Image.Image, likely: Mapping[str, float], truth: str | None = None) -> Figure:
    """The photo left, a bar for each label right; green is the truth. Without a truth the likeliest is blue."""
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    photo = figure.add_axes((0.02, 0.06, PHOTO / WIDTH - 0.02, 0.82))
    photo.imshow(thumbnail(image, 480), interpolation="lanczos")
    photo.set_anchor("NW")
    photo.set_axis_off()
    axes = figure.add_axes((0.62, 0.1, 0.32, 0.76))
    names = [_short(name) for name in likely]
    axes.barh(range(len(names)), list(likely.values()), color=_colours(likely, truth), height=0.62)
    axes.set_yticks(range(len(names)), names, fontsize=10, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, max(1e-9, *likely.values()) * 1.22)
    axes.set_xticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
    for place, value in enumerate(likely.values()):
        axes.text(value, place, f" {value:.3f}", va="center", fontsize=9)
    if truth is not None:
        where = "" if truth in likely else " (not among these)"
        figure.text(0.02, 0.92, f"truth: {_short(truth)}{where}", fontsize=10, color=RIGHT, parse_math=False)
    return figure


def _colours(likely: Mapping[str, float], truth: str | None) -> list[str]:
    if truth is None:
        return [UNKNOWN] + [OTHER] * (len(likely) - 1)
    return [RIGHT if name == truth else OTHER for name in likely]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise InputError(f"--bars {path.parent} cannot be written: {error.strerror}") from None
