"""The data files of METEOR 1.5 in the pycocoevalcap wheel -> a compact, memory-mapped index in Showtell's cache.

The phrases are a tree of words: the node of a phrase's last word stands for the phrase. Each node has a list of the
nodes that the table gives as its paraphrases, in the table's order, because the order decides between equal alignments.
Words are 64-bit hashes, so the index stores no text. Checksums are stored with it: a damaged index would give wrong
scores, so it is made again.

Unusual: only the wheel's data files are read. Its code is never run, and no Java is needed.
"""

import gzip
import hashlib
import json
import shutil
import sys
import tempfile
import zipfile
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from itertools import chain, count
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import cache_folder
from showtell.plumbing.half import made_whole
from showtell.plumbing.progress import Bar
from showtell.plumbing.reading import read_json

VERSION = 3  # of the index's layout
LONGEST = 7  # words of a phrase
INSTALL = "pip install 'showtell[meteor]'"
_JAR, _PARAPHRASES = "pycocoevalcap/meteor/meteor-1.5.jar", "pycocoevalcap/meteor/data/paraphrase-en.gz"
_PARTS = [
    *("words", "nodes", "children", "neighbours_from", "neighbours"),
    *("synonyms", "synonyms_from", "synsets", "forms", "forms_from", "bases", "function_words"),
]

SUMS = "checksums.json"
BLOCK = 1 << 22  # bytes read at a time

Array = NDArray[Any]
Index = dict[str, Array]
Pairs = tuple[Sequence[str], Sequence[str]]  # phrases, and a paraphrase of each


def missing() -> str | None:
    """What METEOR needs that is not installed, and how to install it; or None."""
    if source() is None:
        return f"needs the tables of the pycocoevalcap wheel; run {INSTALL}"
    return None


def load() -> Index:
    """The index. It is made first if the cache has none, or a damaged one."""
    files = source()
    if files is None:
        raise InputError(f"METEOR {missing()}")
    folder = place(files)
    if folder.is_dir() and not _is_whole(folder):
        _note(f"METEOR: the tables in {folder} are damaged and will be made again")
        _remove(folder)
    if not folder.is_dir():
        _make(folder, *files)
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _PARTS}


def _note(text: str) -> None:
    Plain(file=sys.stderr).print(text, markup=False, soft_wrap=True)


def _is_whole(folder: Path) -> bool:
    try:
        sums = read_json(folder / SUMS)
        return bool(sums == {name: _checksum(folder / f"{name}.npy") for name in _PARTS})
    except (OSError, ValueError):
        return False


def _checksum(path: Path) -> int:
    with path.open("rb") as file:
        made = 0
        while block := file.read(BLOCK):
            made = zlib.crc32(block, made)
    return made


def _remove(folder: Path) -> None:
    """Rename the folder, then delete it, so that no other process sees half of it."""
    try:
        away = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        folder.rename(away / folder.name)
    except OSError as error:
        raise InputError(
            f"the METEOR tables in {folder} are damaged and cannot be replaced ({error.strerror}); "
            "delete that folder, or set SHOWTELL_CACHE=DIR to another folder"
        ) from None
    shutil.rmtree(away, ignore_errors=True)


def place(files: tuple[Path, Path]) -> Path:
    """The folder for the index of these files."""
    cache = cache_folder()
    return cache / f"meteor-{VERSION}-{_digest(*files)}"


def hashed(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def hashes(words: Iterable[str]) -> Array:
    return np.fromiter(map(hashed, words), dtype=np.uint64)


def find(keys: Array, wanted: Array) -> Array:
    """The place of each wanted key among the sorted keys; -1 if it is not there."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1)


def source() -> tuple[Path, Path] | None:
    try:
        root = distribution("pycocoevalcap")
    except PackageNotFoundError:
        return None
    jar, paraphrases = (Path(str(root.locate_file(name))) for name in (_JAR, _PARAPHRASES))
    return (jar, paraphrases) if jar.is_file() and paraphrases.is_file() else None


def _digest(*paths: Path) -> str:
    """A digest of the files, from the hashes that the installer recorded: hashing 68 MB at each start is too slow."""
    recorded = {str(file): file.hash.value for file in distribution("pycocoevalcap").files or [] if file.hash}
    kept = [recorded.get(name) for name in (_JAR, _PARAPHRASES)]
    if not all(kept):
        kept = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    sizes = [str(path.stat().st_size) for path in paths]
    return hashlib.sha256(" ".join([*map(str, kept), *sizes]).encode()).hexdigest()[:12]


def _make(folder: Path, jar: Path, paraphrases: Path) -> None:
    """Write the index into a temporary folder and rename that, so that no process sees half an index."""
    _note(f"METEOR: making its tables in {folder}; this happens once and takes half a minute or more")
    try:
        with made_whole(folder) as half:
            for name, part in build(_read_jar(jar), _pairs(paraphrases)).items():
                np.save(half / f"{name}.npy", part)
            sums = {name: _checksum(half / f"{name}.npy") for name in _PARTS}
            (half / SUMS).write_text(json.dumps(sums), "utf-8")
    except OSError as error:
        if not folder.is_dir():  # if it is there now, another process was quicker
            raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"the METEOR tables cannot be written to {folder} ({error.strerror or error}; they need about 65 MB); "
        "free some space, or set SHOWTELL_CACHE=DIR to a folder on a larger disk"
    )


def _read_jar(jar: Path) -> dict[str, list[str]]:
    with zipfile.ZipFile(jar) as archive:
        names = {"synsets": "synonym/english.synsets", "exceptions": "synonym/english.exceptions"}
        names["function"] = "function/english.words"
        return {key: archive.read(name).decode("utf-8").split("\n") for key, name in names.items()}


def _pairs(path: Path) -> Iterator[Pairs]:
    """Read the table of paraphrases. Each entry has three lines: a probability, a phrase, its paraphrase."""
    console, size = Plain(file=sys.stderr), path.stat().st_size >> 20
    with path.open("rb") as raw, Bar(console, "METEOR tables, once", size, "MB") as bar:
        table, rest = gzip.GzipFile(fileobj=raw), b""
        while block := table.read(BLOCK):
            lines = (rest + block).split(b"\n")
            whole = (len(lines) - 1) // 3 * 3
            rest = b"\n".join(lines[whole:])
            yield _decoded(lines[1:whole:3]), _decoded(lines[2:whole:3])
            bar.advance((raw.tell() >> 20) - bar.done)
        bar.advance(0, then="sorting")


def _decoded(lines: list[bytes]) -> list[str]:
    return b"\n".join(lines).decode("utf-8").split("\n") if lines else []


def build(texts: dict[str, list[str]], pairs: Iterable[Pairs]) -> Index:
    """The index, from the jar's texts and from blocks of phrases with their paraphrases.

    `map` over a dict that numbers its keys is faster than a loop: there are ten million phrases to look up.
    """
    phrases = defaultdict[str, int](count().__next__)
    left, right = array("i"), array("i")
    for ones, others in pairs:
        for one, other in ((left, ones), (right, others)):
            one.extend(map(phrases.__getitem__, other))
    index, node = _tree(list(phrases))
    several, size = np.array([left, right], dtype=np.int32), len(index["nodes"]) + len(index["words"])
    index["neighbours_from"], index["neighbours"] = _lists(node[several[0]], node[several[1]], size)
    keys, index["synonyms_from"], index["synsets"] = _keyed(
        (hashed(word), int(synset))
        for word, of in _entries(texts["synsets"])
        if "_" not in word
        for synset in of.split()
    )
    index["synonyms"] = keys
    index["forms"], index["forms_from"], index["bases"] = _keyed(
        (hashed(form), hashed(word)) for word, forms in _entries(texts["exceptions"]) for form in forms.split()
    )
    index["function_words"] = np.sort(hashes(word for word in texts["function"] if word))
    return index


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    return zip(lines[::2], lines[1::2], strict=False)


def _tree(phrases: list[str]) -> tuple[Index, Array]:
    """The tree, and the node of each phrase. The first nodes are the words (sorted hashes). The rest are
    `parent << 32 | word`, level by level: if "a" is node 4 and "dog" is word 9, "a dog" is 4 << 32 | 9.
    """
    ids = defaultdict[str, int](count().__next__)
    lengths = 1 + np.fromiter(map(methodcaller("count", " "), phrases), dtype=np.int64)
    words = chain.from_iterable(map(methodcaller("split", " "), phrases))
    flat = np.fromiter(map(ids.__getitem__, words), dtype=np.int64)
    keys = hashes(ids)
    order = np.argsort(keys)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    flat, first = place[flat], np.cumsum(lengths) - lengths
    node = flat[first]
    levels: list[Array] = []
    base = len(ids)
    starts = [base]
    for level in range(1, LONGEST):
        at = np.flatnonzero(lengths > level)
        codes = node[at] << 32 | flat[first[at] + level]
        known = np.unique(codes)
        node[at] = base + np.searchsorted(known, codes)
        base += len(known)
        levels.append(known)
        starts.append(base)
    return {"words": keys[order], "nodes": np.concatenate(levels), "children": np.array(starts)}, node.astype(np.int32)


def _lists(keys: Array, values: Array, size: int) -> tuple[Array, Array]:
    """Where the values of each of `size` keys begin, and all values: 5 for key 0, 7 8 for key 1: 0 1 3 and 5 7 8."""
    starts = np.zeros(size + 1, dtype=np.int32)
    np.cumsum(np.bincount(keys, minlength=size), out=starts[1:])
    return starts, values[np.argsort(keys, kind="stable")].astype(np.int32)


def _keyed(pairs: Iterable[tuple[int, int]]) -> tuple[Array, Array, Array]:
    """Sorted different keys, where the values of each begin, and the values."""
    flat = np.array(list(pairs), dtype=np.uint64).reshape(-1, 2)
    keys, numbers = np.unique(flat[:, 0], return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    return keys, np.cumsum([0, *np.bincount(numbers, minlength=len(keys))]), flat[order, 1]
