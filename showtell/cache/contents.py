"""Image files -> digests of their bytes. An sqlite file remembers them, so unchanged photos are not read again.

A remembered digest is valid while the file's path, size and both times stay the same. Digests of files that changed in
the last 3 seconds are not stored, because file systems have coarse clocks: a second change could keep the times. Each
row has a checksum; a damaged row counts as missing.
"""

import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from stat import S_ISREG

from showtell.data.inside import file_of, read_inside
from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import open_file

SETTLED = 3.0  # seconds; a change that comes later certainly changes the file's times
Stamp = tuple[int, int, int]  # size, time of the last write (mtime), time of the last change of any kind (ctime)


def digest_file(path: Path) -> str | None:
    """A digest of 32 hex digits of a file's bytes; None if it cannot be read."""
    try:
        if file_of(path) is not None:
            return blake2b(read_inside(path), digest_size=16).hexdigest()
        with open_file(path) as file:
            hashed = blake2b(digest_size=16)
            while block := file.read(1 << 20):
                hashed.update(block)
        return hashed.hexdigest()
    except (InputError, OSError, LookupError, ValueError):  # LookupError: an HDF5 file without that row
        return None


def stamp(path: Path) -> Stamp | None:
    """Size and times, which change whenever the file changes; None if it is not a regular file."""
    try:
        status = (file_of(path) or path).stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns) if S_ISREG(status.st_mode) else None


def digest_files(paths: Sequence[Path], memory: Path, pool: Executor) -> list[str | None]:
    """The digest of each file's bytes; None if it cannot be read. `memory` is the sqlite file."""
    keys = [_key(path) for path in paths]
    stamps = list(pool.map(stamp, paths))
    known = _recall(memory, keys)
    recalled = [known.get(key, (None, None)) for key in keys]
    digests = [digest if before == now else None for (before, digest), now in zip(recalled, stamps, strict=True)]
    unknown = [i for i, digest in enumerate(digests) if digest is None and stamps[i] is not None]
    for i, digest in zip(unknown, pool.map(digest_file, (paths[i] for i in unknown)), strict=True):
        digests[i] = digest
    limit = (time.time() - SETTLED) * 1e9
    rows = [(keys[i], stamps[i], digests[i]) for i in unknown]
    settled = [(key, s, digest) for key, s, digest in rows if s and digest and max(s[1:]) < limit]
    _remember(memory, [(key, *s, digest + _checksum(key, s, digest)) for key, s, digest in settled])
    return digests


def _key(path: Path) -> str | bytes:
    """The absolute path; as bytes if it is not valid text, because sqlite refuses such text."""
    whole = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links, which is slow
    try:
        whole.encode()
    except UnicodeEncodeError:
        return os.fsencode(whole)
    return whole


def _checksum(key: str | bytes, stamp: Stamp, digest: str) -> str:
    """8 hex digits, stored after the digest."""
    return f"{zlib.crc32(repr((key, stamp, digest)).encode()):08x}"


def _recall(memory: Path, keys: Sequence[str | bytes]) -> dict[str | bytes, tuple[Stamp, str]]:
    if not memory.is_file():
        return {}
    try:
        with closing(sqlite3.connect(memory, timeout=60)) as database:
            query = "SELECT size, mtime, ctime, digest FROM contents WHERE path = ?"
            known: dict[str | bytes, tuple[Stamp, str]] = {}
            for key in keys:
                row = database.execute(query, (key,)).fetchone()
                if row is None:
                    continue
                size, written, changed, kept = row
                stamp, digest = (size, written, changed), str(kept)[:32]
                if str(kept)[32:] == _checksum(key, stamp, digest):
                    known[key] = (stamp, digest)
            return known
    except sqlite3.Error:  # if the sqlite file is damaged or old, the photos are read again
        return {}


def _remember(memory: Path, rows: Iterable[tuple[str | bytes, int, int, int, str]]) -> None:
    if memory.is_symlink():  # sqlite would write to the link's target
        return
    table = "contents (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, ctime INTEGER, digest TEXT)"
    try:
        with closing(sqlite3.connect(memory, timeout=60)) as database, database:
            database.execute(f"CREATE TABLE IF NOT EXISTS {table}")
            database.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?)", rows)
    except sqlite3.Error:
        return
