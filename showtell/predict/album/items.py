"""A photo of an album: its id and where it lies, in a form that JSON can hold -> its picture.

["file", "/photos/dog.jpg"]                      a file
["tar", "/shards/00.tar", 1536, 48123]           48,123 bytes of a tar, from byte 1,536 on
["table", "/t.parquet", "image", 3, 17]          row 17 of row group 3
["bad", "damaged or truncated tar"]              nothing that can be read, and why
"""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from showtell.captioners.captioner import Captioner
from showtell.data.images import FORMATS, open_image, read_image
from showtell.plumbing.errors import Unreadable
from showtell.predict.album.tables import NoPhoto, cells


class Item(NamedTuple):
    image_id: str
    place: Sequence[Any]


# What follows the kind of a place.
PLACES: dict[str, tuple[type, ...]] = {
    "file": (str,),
    "tar": (str, int, int),
    "table": (str, str, int, int),
    "bad": (str,),
}


def is_place(place: Any) -> bool:
    """Whether this is such a list, and no number in it is negative; a file may hold anything."""
    if not isinstance(place, list) or not place or not isinstance(place[0], str):
        return False
    kind, *rest = place
    if tuple(map(type, rest)) != PLACES.get(kind):
        return False
    return all(type(each) is str or each >= 0 for each in rest)


Content = Path | bytes  # a file, or the bytes of one
Fetch = Callable[[], Content]  # reads a photo's content, in any thread; raises Unreadable


def fetches(items: Sequence[Item]) -> Iterator[Fetch]:
    """How to get at each photo's content. Rows of tables are read here, one after the other."""
    tables: dict[tuple[str, str], Iterator[bytes | str | NoPhoto]] = {}
    for kind, *place in (item.place for item in items):
        if kind == "file":
            yield _file(Path(place[0]))
        elif kind == "tar":
            yield _in_tar(*place)
        elif kind == "table":
            path, column = place[:2]
            if (path, column) not in tables:
                of_table = [each.place for each in items if list(each.place[:3]) == ["table", path, column]]
                tables[path, column] = cells(Path(path), column, [(place[3], place[4]) for place in of_table])
            yield _in_table(Path(path), tables[path, column])
        else:
            yield _bad(place[0])


def open_photo(captioner: Captioner, image_id: str, content: Content) -> Image.Image:
    """The upright picture, as `captioner` opens a file. Raises InputError if it cannot be read."""
    if isinstance(content, Path):
        return captioner.open(content)
    at_least = None if captioner.encoder is None or captioner.encoder.exact else 2 * captioner.encoder.image_size
    return open_picture(image_id, content, at_least)


def open_picture(image_id: str, content: Content, at_least: int | None) -> Image.Image:
    """The upright picture, as `open_image` opens it. Raises Unreadable."""
    if isinstance(content, Path):
        return open_image(content, at_least)
    if not content:
        raise Unreadable(Path(image_id), "empty file")
    image = read_image(BytesIO(content), at_least, FORMATS, image_id)
    image.filename = image_id  # type: ignore[attr-defined]  # Pillow's name for it
    return image


def _file(path: Path) -> Fetch:
    return lambda: path


def _in_tar(path: str, offset: int, size: int) -> Fetch:
    def fetch() -> bytes:
        try:
            with Path(path).open("rb") as file:
                file.seek(offset)
                content = file.read(size)
        except OSError as error:
            raise Unreadable(Path(path), f"the tar cannot be read ({error.strerror})") from None
        if len(content) < size:
            raise Unreadable(Path(path), "truncated tar")
        return content

    return fetch


def _in_table(path: Path, following: Iterator[bytes | str | NoPhoto]) -> Fetch:
    """The next cell, taken now: the rows of a table come in order, whatever the threads do."""
    cell = next(following)
    if isinstance(cell, NoPhoto):
        return _bad(cell.reason)
    if isinstance(cell, str):
        return _file(path.parent / cell)
    content = cell
    return lambda: content


def _bad(reason: str) -> Fetch:
    def fetch() -> Content:
        raise Unreadable(Path("photo"), reason)

    return fetch
