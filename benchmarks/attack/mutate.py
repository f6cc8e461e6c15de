"""Bytes -> damaged bytes: as a cut download, a bad disk, a careless script or a stranger may make them."""

from collections.abc import Callable
from random import Random

NUMBERS = (b"-1", b"0", b"1e308", b"NaN", b"-Infinity", b"9" * 30, b"9" * 5000, b"0.5", b"null", b"true", b'""', b"[]")
TEXTS = (
    *(b"\x1b[31mred", b"\0", b"\\ud83d", b"\xff\xfe", b"../../../outside/new", b"/dev/zero", b"~nobody/x", b"=1+1"),
    *(b"%s%n", b"[" * 300, b"{" * 300, b'"a": 1, "a": 2', b"&a [*a, *a]", b"!!python/object:os.system", b"\r\n", b"\t"),
    *(b"__class__", b":x:", b"<script>", "ＡＢ".encode(), "\u202e".encode()),
)

Mutator = Callable[[bytes, Random], bytes]


def flipped(data: bytes, random: Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(random.choice((1, 1, 3, 30))):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data))]


def lacking(data: bytes, random: Random) -> bytes:
    start, end = _part(data, random)
    return data[:start] + data[end:]


def repeated(data: bytes, random: Random) -> bytes:
    start, end = _part(data, random)
    return data[:end] + data[start:end] * random.choice((1, 1, 50)) + data[end:]


def zeroed(data: bytes, random: Random) -> bytes:
    start, end = _part(data, random)
    return data[:start] + bytes(end - start) + data[end:]


def noisy(data: bytes, random: Random) -> bytes:
    start, end = _part(data, random)
    return data[:start] + random.randbytes(end - start) + data[end:]


def told(data: bytes, random: Random) -> bytes:
    """Text of a stranger somewhere in it."""
    place = random.randrange(len(data) + 1)
    return data[:place] + random.choice(TEXTS) + data[place:]


def counted(data: bytes, random: Random) -> bytes:
    """Another number or value in the place of one of its numbers."""
    digits = [place for place, byte in enumerate(data[:100_000]) if byte in b"0123456789"]
    if not digits:
        return told(data, random)
    place = random.choice(digits)
    return data[:place] + random.choice(NUMBERS) + data[place + 1 :]


def empty(data: bytes, random: Random) -> bytes:
    return b""


MUTATORS: tuple[Mutator, ...] = (flipped, cut, lacking, repeated, zeroed, noisy, told, counted, empty)


def mutated(data: bytes, random: Random) -> bytes:
    """One to three of the MUTATORS, one after another."""
    for _ in range(random.choice((1, 1, 2, 3))):
        if data:
            data = random.choice(MUTATORS)(data, random)
    return data


def _part(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(data))
    return start, min(len(data), start + random.choice((1, 4, 64, 1000)))
