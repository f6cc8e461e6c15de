"""A text beside each photo -> records: `1.jpg` with `1.txt`, as people write who caption photos of their own.

Each line of a text is a caption. `1.caption` and `1.jpg.txt` are read too. If no text lies beside a photo, the texts
may lie in a folder of their own: `images/1.jpg` with `captions/1.txt`. Then a name must belong to one photo only.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from showtell.data.clean import Row, to_records
from showtell.data.folder import photos_below, walk
from showtell.data.photos import existing_folder, without_ending
from showtell.data.record import LeftOut, Records
from showtell.data.splits import Division, Split, split_in
from showtell.data.text import read_text
from showtell.plumbing.errors import InputError
from showtell.settings.bounds import Share

ENDINGS = (".txt", ".caption", ".captions")
LARGEST = 2**20  # bytes; a larger text is a list or a book
ABOUT = ("readme", "license", "licence", "classes", "requirements")  # texts about a whole set


def texts(*, root: Path, split: Split | None = None, val_share: Share = 0.1, test_share: Share = 0.1) -> Records:
    """The photos below `root` that have a text of their name. A folder such as `train` in the path names the split."""
    root = existing_folder(root)
    pairs, alone = find_texts(root)
    if not pairs:
        raise InputError(f"{root}: no photo has a text of its name, such as 1.txt beside 1.jpg")
    left_out = [LeftOut(name, "no text of its name") for name in photos_below(root) if name not in pairs]
    left_out += [LeftOut(name, "text without photo") for name in alone]
    photo, text = next(iter(pairs.items()))
    form = f"texts: {photo} with {text}, and so on"
    rows = _rows(root, pairs, left_out)
    division = Division(split, val_share, test_share)
    return to_records(root, list(rows), form=form, division=division, places=["."], left_out=left_out)


def find_texts(root: Path) -> tuple[dict[str, str], list[str]]:
    """The text of each photo that has one, and the texts without photo; all as paths below `root`."""
    photos = photos_below(root)
    named = [path.relative_to(root).as_posix() for path in walk(root) if path.suffix.lower() in ENDINGS]
    written = sorted(name for name in named if Path(name).stem.lower() not in ABOUT)
    pairs = _beside(photos, written) or _apart(photos, written)
    homes = {text.rpartition("/")[0] for text in pairs.values()}
    used = {*pairs.values()}
    return pairs, [text for text in written if text not in used and text.rpartition("/")[0] in homes]


def _beside(photos: Sequence[str], written: Sequence[str]) -> dict[str, str]:
    """
    >>> _beside(["a/1.jpg", "a/2.JPG", "b/1.jpg"], ["a/1.txt", "a/2.JPG.txt", "c/1.txt"])
    {'a/1.jpg': 'a/1.txt', 'a/2.JPG': 'a/2.JPG.txt'}
    """
    of_name = {text.rpartition(".")[0]: text for text in written}
    found = {photo: of_name.get(photo) or of_name.get(without_ending(photo)) for photo in photos}
    return {photo: text for photo, text in found.items() if text is not None}


def _apart(photos: Sequence[str], written: Sequence[str]) -> dict[str, str]:
    """
    >>> _apart(["images/1.jpg", "images/2.jpg"], ["captions/1.txt", "captions/2.txt"])
    {'images/1.jpg': 'captions/1.txt', 'images/2.jpg': 'captions/2.txt'}
    """
    of_name = {Path(text).stem: text for text in written}
    times = Counter(Path(photo).stem for photo in photos) | Counter(Path(text).stem for text in written)
    names = {photo: Path(photo).stem for photo in photos}
    return {photo: of_name[name] for photo, name in names.items() if name in of_name and times[name] == 1}


def _rows(root: Path, pairs: dict[str, str], left_out: list[LeftOut]) -> Iterator[Row]:
    for photo, name in pairs.items():
        splits = (split_in(folder) for folder in Path(photo).parts[:-1])
        split = next(filter(None, splits), None)
        path = root / name
        if not path.is_file() or path.stat().st_size > LARGEST:
            left_out.append(LeftOut(name, "not a text of at most 1 MB"))
            continue
        text, _ = read_text(path)
        lines = [line for line in text.splitlines() if line.strip()]
        yield Row(photo, photo, lines or [""], split, name)
