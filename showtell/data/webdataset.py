"""Webdataset tars -> records: `key.jpg` with `key.txt` or `key.json`. Tars are unpacked once into a cache folder.

Untrusted tars are safe. Photos get new, numbered names, so no member can choose where it is written. Links and devices
are skipped. Only uncompressed tars are read, so the output is never larger than the tar. The folder is written under a
temporary name and renamed when it is complete.

Two rules pair texts with photos. The names in a tar decide which one it follows:

    1. 0001.jpg 0001.caption.txt 0001.mask.png    one sample, key 0001: a photo, its caption, and an unused field
    2. 22.00.jpg 22.00.txt 22.01.jpg 22.01.txt    two samples, keys 22.00 and 22.01

Rule 1 is webdataset's: the key ends at the first dot, and the rest names a field. Rule 2 applies if a text has the same
name as a photo with a dot in its name: then the key is the whole name. A text without a photo, or a photo without a
text, is skipped with a reason.

If a sample has several photos, such as `key.0.jpg` and `key.1.jpg`, the first one is used. If `key.jpg` or `key.txt`
comes twice with different content, two samples have the same key. If their photos differ, all are skipped.
"""

import json
import re
import shutil
import tarfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from showtell.data.clean import Row, to_records
from showtell.data.photos import SUFFIXES, existing_folder
from showtell.data.record import LeftOut, Records
from showtell.data.splits import Division, Split, split_in
from showtell.data.table import CAPTION
from showtell.data.tars import DAMAGED, is_link_or_device, members
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import cache_folder
from showtell.plumbing.half import made_whole
from showtell.plumbing.reading import TEXT, parse_json, read_text, whole_letters
from showtell.settings.bounds import Share

EDITION = 4  # raise it when a code change unpacks the same tars into a different folder
INDEX = "samples.json"
LARGEST = 256 * 2**20  # bytes of a photo
TEXTS = (".txt", ".caption", ".json")
CAPTION_WORD = re.compile(rf"(?:{'|'.join(CAPTION)})[ _-]?\d*")  # as in `0001.caption.txt`, `0001.text_2.txt`
TEXT_LARGEST = 2**20  # bytes of a text
SPARE = 2**28  # bytes that must stay free on the disk


def webdataset(*, root: Path, split: Split | None = None, val_share: Share = 0.1, test_share: Share = 0.1) -> Records:
    """Records in the order of the tars; image_id = key, or SHARD/key if two tars share a key.

    The split comes from the name of the tar or its folder: train-000000.tar, val/0.tar.
    """
    root = existing_folder(root)
    shards = find_shards(root)
    if not shards:
        raise InputError(f"{root}: it has no tars; it needs train-000000.tar, val-000000.tar and so on, or val/0.tar")
    unpacked = _folder(shards)
    if not (unpacked / INDEX).is_file():
        _make(unpacked, shards)
    index = _read_index(unpacked)
    left_out = [LeftOut(*entry) for entry in index["left_out"]]
    form = f"webdataset: {len(shards):,} tar{'s'[: len(shards) > 1]}, unpacked into {unpacked.name}"
    division = Division(split, val_share, test_share)
    rows = _rows(root, shards, index["samples"])
    return to_records(root, rows, form=form, division=division, places=[str(unpacked.absolute())], left_out=left_out)


def find_shards(root: Path) -> list[Path]:
    return sorted(path for depth in ("*.tar", "*/*.tar") for path in root.glob(depth) if path.is_file())


def _rows(root: Path, shards: list[Path], samples: list[dict[str, Any]]) -> Iterator[Row]:
    names = [shard.relative_to(root).with_suffix("").as_posix() for shard in shards]
    splits = [next(filter(None, map(split_in, reversed(name.split("/")))), None) for name in names]
    home: dict[str, int] = {}
    repeated = any(home.setdefault(sample["key"], sample["shard"]) != sample["shard"] for sample in samples)
    for sample in samples:
        shard, key = sample["shard"], sample["key"]
        image_id = f"{names[shard]}/{key}" if repeated else key
        where = f"{names[shard]}.tar {key}"
        yield Row(image_id, sample["photos"][0], sample["captions"], splits[shard], where)
        # More rows with this id and another photo make `clean` skip all of them.
        yield from (Row(image_id, photo, (), splits[shard], where) for photo in sample["photos"][1:])


def _folder(shards: list[Path]) -> Path:
    """The cache folder of exactly these files: it changes with a tar's path, size or modification time."""
    cache = cache_folder()
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in shards]
    return cache / f"webdataset-{EDITION}-{blake2b(repr(stats).encode('utf-8', 'replace'), digest_size=8).hexdigest()}"


def _make(folder: Path, shards: list[Path]) -> None:
    size = sum(path.stat().st_size for path in shards)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder.parent).free
        if size + SPARE > free:
            need = f"{size / 1e9:.1f} GB of tars and {free / 1e9:.1f} GB free"
            raise InputError(f"{folder.parent}: the disk is too full ({need}); set SHOWTELL_CACHE to a larger disk")
        with made_whole(folder) as half:
            _unpack_all(half, shards)
    except OSError as error:
        if not (folder / INDEX).is_file():  # otherwise another process was faster
            where = "set SHOWTELL_CACHE to a writable folder"
            raise InputError(f"{folder}: cannot be written ({error.strerror}); {where}") from error


class _Member(NamedTuple):
    """A photo or text of a tar. A photo has a `file`, a text has `captions`."""

    name: str
    stem: str  # the name without its suffix
    digest: bytes
    file: str = ""
    captions: Sequence[Any] = ()


@dataclass
class _Sample:
    """All members of a tar with the same key."""

    plain: bool = False  # whether its photos are named `key.jpg`, and not `key.mask.png`
    photos: dict[bytes, str] = field(default_factory=dict)  # digest -> file
    captions: list[Any] = field(default_factory=list)
    fields: dict[str, bytes] = field(default_factory=dict)  # name -> digest
    again: bool = False  # whether a field came twice with different content

    def add(self, member: _Member, plain: bool) -> None:
        self.again |= self.fields.setdefault(member.name, member.digest) != member.digest
        self.captions += member.captions
        if not member.file:
            return
        if plain and not self.plain:
            self.plain, self.photos = True, {}
        if plain == self.plain:
            self.photos.setdefault(member.digest, member.file)

    @property
    def meant(self) -> list[str]:
        return list(self.photos.values())[: None if self.again else 1]


def _unpack_all(half: Path, shards: list[Path]) -> None:
    samples: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    numbers = count()
    for number, shard in enumerate(shards):
        members = list(_unpacked(half, shard, numbers, left_out))
        by_key = _samples(members)
        kept = {sample.meant[0] for sample in by_key.values() if sample.photos}
        for member in members:
            if member.file and member.file not in kept:
                (half / member.file).unlink()
        samples += (
            {"shard": number, "key": key, "photos": sample.meant, "captions": sample.captions}
            for key, sample in by_key.items()
            if sample.photos
        )
        without_photo = (key for key, sample in by_key.items() if not sample.photos)
        left_out += (LeftOut(f"{shard.name} {key}", "caption without photo") for key in without_photo)
    index = json.dumps({"samples": samples, "left_out": left_out})
    (half / INDEX).write_text(index, encoding="utf-8")


def _unpacked(half: Path, shard: Path, numbers: Iterator[int], left_out: list[LeftOut]) -> Iterator[_Member]:
    """The members of a tar. Writes every photo, because all names must be known to see which ones are needed."""
    for name, content in _members(shard, left_out):
        stem, ending = _split(name)
        digest = blake2b(content).digest()
        if ending in TEXTS:
            yield _Member(name, stem, digest, captions=_captions(content, ending))
            continue
        # Not only a number: precomputed region features may be found by file name, and a number could be another photo.
        file = f"photo-{next(numbers):08}{ending}"
        (half / file).write_bytes(content)
        yield _Member(name, stem, digest, file)


def _samples(members: Sequence[_Member]) -> dict[str, _Sample]:
    photos = {member.stem for member in members if member.file}
    whole = any(_names_a_dotted_photo(member, photos) for member in members)
    by_key: dict[str, _Sample] = {}
    for member in members:
        key = _whole_key(member, photos) if whole else _short_key(member, photos)
        by_key.setdefault(key, _Sample()).add(member, plain=member.stem == key)
    return by_key


def _names_a_dotted_photo(member: _Member, photos: Collection[str]) -> bool:
    """Whether this text makes rule 2 apply: it has a caption, and the same name as a photo with a dot in its name."""
    key = _whole_key(member, photos)
    has_text = any(isinstance(caption, str) for caption in member.captions)
    return has_text and key in photos and key != _cut(key)


def _whole_key(member: _Member, photos: Collection[str]) -> str:
    """The key by rule 2: the whole name. `22.00.caption.txt` has the key 22.00 if there is a photo `22.00.jpg`."""
    before, _, word = member.stem.rpartition(".")
    if not member.file and member.stem not in photos and before in photos and CAPTION_WORD.fullmatch(word.lower()):
        return before
    return member.stem


def _short_key(member: _Member, photos: Collection[str]) -> str:
    """The key by rule 1: the name up to its first dot.

    If there is only `22.00.jpg`, the key of `22.01.txt` stays 22.01: its photo may be missing.
    """
    key = _cut(member.stem)
    between = member.stem[len(key) + 1 :]
    if member.file or not between or key in photos or CAPTION_WORD.fullmatch(between.lower()):
        return key
    return member.stem


def _cut(stem: str) -> str:
    directory, slash, base = stem.rpartition("/")
    return directory + slash + base.partition(".")[0]


def _members(shard: Path, left_out: list[LeftOut]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the photos and texts of a tar, up to the first damage."""
    try:
        for tar, member in members(shard):
            stem, ending = _split(member.name)
            if is_link_or_device(member):
                name = whole_letters(member.name[:200])
                left_out.append(LeftOut(f"{shard.name} {name}", "link or device in a tar"))
            elif ending and member.size > (TEXT_LARGEST if ending in TEXTS else LARGEST):
                left_out.append(LeftOut(f"{shard.name} {stem}", "file too large"))
            elif ending and not member.isdir():
                yield member.name, _content(tar, member)
    except DAMAGED:
        left_out.append(LeftOut(shard.name, "damaged or truncated tar"))


def _split(name: str) -> tuple[str, str]:
    """(name without its suffix, suffix). The suffix is empty if we do not read such files.

    Hidden files are not read: macOS writes `._7.jpg` beside `7.jpg`.

    >>> _split("a/22.00.jpg"), _split("7.mask.PNG"), _split("7.mp4"), _split("a/._7.jpg")
    (('a/22.00', '.jpg'), ('7.mask', '.png'), ('7', ''), ('a/._7', ''))
    """
    directory, slash, base = whole_letters(name).rpartition("/")
    stem, _, last = base.rpartition(".")
    ending = f".{last.lower()}"
    ours = ending in (*SUFFIXES, *TEXTS) and stem and not base.startswith(".")
    return directory + slash + stem, ending if ours else ""


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    source = tar.extractfile(member)
    content = source.read() if source is not None else b""
    if len(content) != member.size:
        raise EOFError
    return content


def _captions(content: bytes, ending: str) -> list[Any]:
    text = content.decode("utf-8-sig", "replace")
    if ending != ".json":
        return [text]
    try:
        entry = parse_json(text, mend=False)
    except ValueError:
        return [None]
    captions = next((entry[name] for name in CAPTION if name in entry), None) if isinstance(entry, dict) else entry
    return captions if isinstance(captions, list) else [] if captions is None else [captions]


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = parse_json(read_text(folder / INDEX, TEXT), mend=False)
        assert isinstance(index, dict) and index.keys() == {"samples", "left_out"}
    except (ValueError, AssertionError) as error:
        raise InputError(f"{folder / INDEX}: damaged; delete the folder, then the tars are unpacked again") from error
    return index
