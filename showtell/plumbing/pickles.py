"""Read the numbers in a pickle without running it.

A pickle is a program: it may name any function and call it. Python's unpickler runs that program, and numpy trusts the
values that it gets there, so a few bytes can write to any address. This file is a small interpreter instead. It steps
through the instructions (`pickletools` splits them) and makes only dicts, lists, tuples, texts and numbers. For each of
the few names that numpy's arrays need, it has its own harmless stand-in. A stand-in becomes an array only if its type
is numeric and it has exactly the bytes of its shape: shape (2, 3) of '<f4' takes 24 bytes; 23 or 25 are an error.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import WHOLE, read_bytes

TYPES = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"b1", "f2", "f4", "f8"}
MOST_DIMENSIONS = 8
DEEPEST = 50  # levels of containers inside containers
# A pickle may use a value again by its number. A list of 10 references to a list of 10 references to ... grows to 10^n
# values in a tiny file. All such repeats together may add at most:
MOST_REPEATED = 100_000  # values
MOST_REPEATED_BYTES = 64 * 2**20  # bytes of arrays
LARGEST_INT = 2**64
LONGEST_NAME = 4096  # letters in a key, as in a path
MOST_IN_KEY = 8  # items in a key that is a tuple
MOST_STEPS = 20_000_000  # instructions; an array of any size needs about thirty


def load(path: Path, key: str = "") -> Any:
    """The content of a pickle: dicts, lists, tuples, texts, numbers, numpy arrays and scalars.

    `key` is the option that named the file, for errors. Raises InputError if the pickle holds anything else, or is
    damaged.
    """
    name = f"{key}={path}" if key else str(path)
    try:
        content = read_bytes(path, WHOLE)
        return _Finished(len(content)).value(_Machine(len(content)).run(content))
    except _Refused as refused:
        raise InputError(
            f"{name}: this pickle asks for {refused}. Only numpy arrays in dicts and lists are read from pickles, "
            "because any other pickle could run a program; save the arrays as .npz or .safetensors"
        ) from None
    except InputError as error:
        raise InputError(f"{name} {error.wrong}") from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name}: damaged, or not a pickle ({reason[:200]})") from error


class _Refused(Exception):
    """The pickle uses a name or an instruction that a pickle of numbers does not need."""


class _Mark:
    """Marks the place on the stack where the items of a container begin."""


@dataclass
class _Type:
    """Stands in for numpy.dtype."""

    code: str
    order: str = "="

    def build(self, state: Any) -> None:
        version, order, *rest = state
        known = [None, None, None, -1, -1, 0]
        if version != 3 or order not in ("<", ">", "|", "=") or rest[:6] != known or any(rest[6:]):
            raise ValueError("a type of numbers with an unknown state")
        self.order = order

    @property
    def real(self) -> "np.dtype[Any]":
        return np.dtype(f"{self.order}{self.code}")


class _Array:
    """Stands in for numpy.ndarray, until the instruction BUILD brings its shape, type and bytes."""

    made: "np.ndarray[Any, Any] | None" = None

    def build(self, state: Any) -> None:
        shape, kind, by_columns, content = state[-4:]
        if len(state) not in (4, 5) or not isinstance(by_columns, bool | int):
            raise ValueError("an array with an unknown state")
        self.made = _array(content, kind, shape, "F" if by_columns else "C")


def _array(content: Any, kind: Any, shape: Any, order: str) -> "np.ndarray[Any, Any]":
    if isinstance(content, str):
        content = content.encode("latin1")  # Python 2 saved bytes as text
    if not isinstance(content, bytes | bytearray) or not isinstance(kind, _Type):
        raise ValueError("an array that does not hold numbers")
    if not isinstance(shape, tuple) or len(shape) > MOST_DIMENSIONS or not all(_is_count(side) for side in shape):
        raise ValueError("an array whose shape is not a tuple of sizes")
    if len(content) != prod(shape) * kind.real.itemsize:
        raise ValueError(f"an array of shape {shape} with {len(content)} bytes")
    # Not copied: a pickle may use the same bytes a thousand times. _Finished copies, and limits the sum.
    return np.frombuffer(content, kind.real).reshape(shape, order="F" if order == "F" else "C")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**48


def _type(code: Any, *rest: Any) -> _Type:
    if not isinstance(code, str):  # the hash of deeply nested tuples could take for ever
        raise ValueError("a type of numbers without a name")
    if code not in TYPES or not all(isinstance(each, bool | int) for each in rest):
        raise ValueError(f"numbers of type {str(code)[:20]!r}")
    return _Type(code)


def _scalar(kind: Any, content: Any) -> Any:
    return _array(content, kind, (), "C")[()]


def _empty(array: Any, shape: Any, code: Any) -> _Array:
    return _Array()


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> "np.ndarray[Any, Any]":
    if axes is None:
        return _array(content, kind, shape, order)
    if not isinstance(axes, tuple) or not all(_is_count(axis) for axis in axes):
        raise ValueError("axes that are not a tuple of numbers")
    return _array(content, kind, shape, "C").transpose(axes)  # numpy checks that each axis is there once


def _bytes(text: Any, encoding: Any) -> bytes:
    """Stands in for `_codecs.encode`, with which old pickles make bytes from text."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes that are not latin1 text")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


def _byte_array(content: Any = b"", encoding: Any = None) -> bytes:
    """Stands in for `bytearray`. It gives bytes, which need no copy, because nothing here changes them."""
    if encoding is not None:
        return _bytes(content, encoding)
    if not isinstance(content, bytes):
        raise ValueError("a bytearray that does not hold bytes")
    return content


def _pairs(items: Any = ()) -> dict[Any, Any]:
    return {_key(key): value for key, value in items}


def _key(key: Any) -> Any:
    """A dict key: a text, a number, or a short tuple of them. The hash of deeply nested tuples could take for ever."""
    items = key if type(key) is tuple and len(key) <= MOST_IN_KEY else (key,)
    for item in items:
        if item is not None and not isinstance(item, str | bytes | bool | int | float | np.generic):
            raise ValueError("a key that is neither a text nor a number")
        if isinstance(item, str | bytes) and len(item) > LONGEST_NAME:
            raise ValueError(f"a key of more than {LONGEST_NAME:,} letters")
    return key


CALLS: dict[str, Callable[..., Any]] = {
    "numpy.dtype": _type,
    "collections.OrderedDict": _pairs,
    "_codecs.encode": _bytes,
    "builtins.bytes": _no_bytes,
    "__builtin__.bytes": _no_bytes,
    "builtins.bytearray": _byte_array,
    "__builtin__.bytearray": _byte_array,
}
for _core in ("numpy.core", "numpy._core"):  # its names in numpy 1 and numpy 2
    CALLS[f"{_core}.multiarray._reconstruct"] = _empty
    CALLS[f"{_core}.multiarray.scalar"] = _scalar
    CALLS[f"{_core}.numeric._frombuffer"] = _from_buffer
NAMES = {**CALLS, "numpy.ndarray": _Array}

# Instructions that push their argument on the stack.
PLAIN = {"BININT", "BININT1", "BININT2", "BINFLOAT", "FLOAT", "INT", "LONG", "LONG1", "LONG4"}
PLAIN |= {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
PLAIN |= {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
CONSTANT: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "MARK": _Mark,
}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
SKIPPED = ("PROTO", "FRAME")


class _Machine:
    """The stack and the memo of one pickle. No instruction makes more data than its own bytes hold.

    Only a call may copy a value that the pickle uses again from the memo; `_count_copies` limits the sum of the copies.
    """

    def __init__(self, file_bytes: int) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.left = file_bytes + MOST_REPEATED

    def run(self, content: bytes) -> Any:
        for opcode, argument, _ in islice(pickletools.genops(BytesIO(content)), MOST_STEPS):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name in PLAIN:
                self.stack.append(_small(argument))
            elif name in CONSTANT:
                self.stack.append(CONSTANT[name]())
            elif name in TUPLES:
                self.stack.append(tuple(self._last(TUPLES[name])))
            elif name not in SKIPPED:
                step = getattr(self, f"_{name.lower()}", None)
                if step is None:
                    raise _Refused(f"the instruction {name}")
                step(argument)
        raise ValueError(f"it does not end within {MOST_STEPS:,} instructions")

    def _last(self, count: int) -> list[Any]:
        items = self.stack[-count:]
        if len(items) < count:
            raise ValueError("an instruction without its items")
        del self.stack[-count:]
        return items

    def _since_mark(self) -> list[Any]:
        at = next(place for place in range(len(self.stack) - 1, -1, -1) if isinstance(self.stack[place], _Mark))
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _list(self, _: Any) -> None:
        self.stack.append(self._since_mark())

    def _dict(self, _: Any) -> None:
        self.stack.append(self._paired(self._since_mark()))

    def _paired(self, items: list[Any]) -> dict[Any, Any]:
        return dict(zip(map(_key, items[::2]), items[1::2], strict=True))

    def _append(self, _: Any) -> None:
        (item,) = self._last(1)
        self._top(list).append(item)

    def _appends(self, _: Any) -> None:
        items = self._since_mark()
        self._top(list).extend(items)

    def _setitem(self, _: Any) -> None:
        key, value = self._last(2)
        self._top(dict)[_key(key)] = value

    def _setitems(self, _: Any) -> None:
        items = self._since_mark()
        self._top(dict).update(self._paired(items))

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"items for something that is not a {kind.__name__}")
        return self.stack[-1]

    def _pop(self, _: Any) -> None:
        self.stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._since_mark()

    def _dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _put(self, number: int) -> None:
        self.memo[number] = self.stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _get(self, number: int) -> None:
        self.stack.append(self.memo[number])

    _binget = _long_binget = _get

    def _global(self, names: str) -> None:
        self._name(*names.split(" ", 1))

    def _stack_global(self, _: Any) -> None:
        self._name(*self._last(2))

    def _name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("a name that is not a text")
        full = f"{module}.{name}"
        if full not in NAMES:
            raise _Refused(full[:100])
        self.stack.append(NAMES[full])

    def _reduce(self, _: Any) -> None:
        function, arguments = self._last(2)
        if function not in CALLS.values() or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is not a function")
        self._count_copies(arguments)
        self.stack.append(function(*arguments))

    def _count_copies(self, values: tuple[Any, ...]) -> None:
        self.left -= sum(len(value) for value in values if isinstance(value, str | list))
        if self.left < 0:
            raise ValueError("a value that is repeated too often")

    def _build(self, _: Any) -> None:
        (state,) = self._last(1)
        if not isinstance(self.stack[-1], _Array | _Type) or not isinstance(state, tuple):
            raise ValueError("a state for something that takes none")
        self._count_copies(state)
        self.stack[-1].build(state)


def _small(value: Any) -> Any:
    if type(value) is int and not -LARGEST_INT < value < LARGEST_INT:
        raise ValueError("a whole number of more than 64 bits")
    return value


class _Finished:
    """Replace the stand-ins by arrays, at all depths. A value that is used ten times counts ten times."""

    def __init__(self, file_bytes: int) -> None:
        self.left = file_bytes + MOST_REPEATED
        self.bytes_left = file_bytes + MOST_REPEATED_BYTES

    def value(self, made: Any, depth: int = 0) -> Any:
        self.left -= 1
        if depth > DEEPEST:
            raise ValueError(f"containers deeper than {DEEPEST}")
        if isinstance(made, _Array):
            made = made.made
            if made is None:
                raise ValueError("an array without values")
        if isinstance(made, np.ndarray):
            self.bytes_left -= made.nbytes
        if self.left < 0 or self.bytes_left < 0:
            raise ValueError("a value that is repeated too often")
        if type(made) in (list, tuple):
            return type(made)(self.value(item, depth + 1) for item in made)
        if type(made) is dict:
            return {key: self.value(item, depth + 1) for key, item in made.items()}
        if isinstance(made, np.ndarray) and made.dtype == np.bool_:
            return made.view(np.uint8) != 0  # numpy's booleans must be 0 or 1; a file may hold other bytes
        if isinstance(made, np.ndarray):
            return made.astype(made.dtype.newbyteorder("="))  # a copy in this machine's byte order
        if made is None or isinstance(made, str | bytes | bytearray | bool | int | float | np.generic):
            return made
        raise _Refused("something that is not a number")
