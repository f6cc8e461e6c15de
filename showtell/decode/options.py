"""The ranges of all decoding options; their names and types are in the strategies' signatures."""

import math
from collections.abc import Callable
from typing import Any

from showtell.plumbing.errors import RecipeError

LOWEST = {
    "num_beams": 1,
    "num_beam_groups": 1,
    "num_return_sequences": 1,
    "max_length": 2,  # bos and one other token
    "min_length": 0,
    "no_repeat_ngram_size": 0,
    "top_k": 0,
    "seed": 0,
}
HIGHEST = {  # a larger value is a typing mistake, and would fill the memory
    "num_beams": 256,
    "num_return_sequences": 50_000,
    "max_length": 1024,
    "seed": 2**32 - 1,
}
MOST_PHRASES = 8  # in `must`, because each phrase adds groups of beams
REAL: dict[str, tuple[str, Callable[[float], bool]]] = {
    "temperature": ("a number from 1e-08 to 100", lambda value: 1e-8 <= value <= 100),
    "top_p": ("a number above 0 and up to 1", lambda value: 0 < value <= 1),
    "diversity_penalty": ("a number from 0 to 100", lambda value: 0 <= value <= 100),
    "alpha": ("a number from 0 to 10", lambda value: 0 <= value <= 10),
    "beta": ("a number from 0 to 1", lambda value: 0 <= value <= 1),
    "noise": ("a number from 0 to 100", lambda value: 0 <= value <= 100),
    "masked": ("a number from 0 up to, but not, 1", lambda value: 0 <= value < 1),
    "length_penalty": ("a number from -10 to 10", lambda value: -10 <= value <= 10),
}


def check(**options: Any) -> None:
    """Raise RecipeError if an option is out of range. Called when a recipe is read, and again by each strategy."""
    for name, value in options.items():
        if name in LOWEST and not (value is None and name == "seed"):
            lowest, highest = LOWEST[name], HIGHEST.get(name, math.inf)
            allowed = f"a whole number of at least {lowest}" + f" and at most {highest}" * (highest < math.inf)
            _refuse(name, value, allowed, _whole(value, lowest) and value <= highest)
        elif name in REAL:
            allowed, fits = REAL[name]
            _refuse(name, value, allowed, isinstance(value, int | float) and fits(value))
        elif name in ("must", "must_not"):
            _refuse(name, list(value), "a list of words and phrases, none of them empty", all(map(_is_phrase, value)))
    if (length := len(options.get("must", ()))) > MOST_PHRASES:
        takes = f"at most {MOST_PHRASES} words and phrases"
        raise RecipeError(f"is a list of {length}", key="decode.must", value=options["must"], takes=takes)
    if options.get("noise") == options.get("masked") == 0:
        _refuse("noise", 0, "a number above 0 if decode.masked is 0: one of them must distort the photo", False)
    beams, groups = options.get("num_beams", 1), options.get("num_beam_groups", 1)
    _refuse("num_beam_groups", groups, f"a whole number that divides num_beams, which is {beams}", beams % groups == 0)
    _check_pair(options, "min_length", "max_length", 1, "eos needs a place too")
    _check_pair(options, "num_return_sequences", "num_beams", 0, "beam search returns no more captions than beams")


def _whole(value: Any, lowest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= lowest


def _is_phrase(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _check_pair(options: dict[str, Any], lower: str, upper: str, gap: int, reason: str) -> None:
    if lower in options and upper in options:
        value, highest = options[lower], options[upper] - gap
        _refuse(lower, value, f"at most {highest} if {upper} is {options[upper]}: {reason}", value <= highest)


def _refuse(name: str, value: Any, allowed: str, fits: bool) -> None:
    if not fits:
        raise RecipeError(key=f"decode.{name}", value=value, takes=allowed)


def check_begin(begin: int, longest: int | None) -> None:
    """Raise RecipeError unless max_length has room for at least one token after bos and the prompt (`begin` tokens)."""
    if longest is not None and longest <= begin:
        wrong = f"is {longest}, but bos and the prompt already have {begin} tokens"
        raise RecipeError(wrong, key="decode.max_length", value=longest, takes=f"at least {begin + 1}")


def check_positions(positions: int | None, longest: int | None) -> None:
    """Raise RecipeError if the decoder has too few positions for captions of max_length.

    It never reads a caption's last token: 256 positions are enough for 257 tokens.
    """
    if positions is not None and longest is not None and longest > positions + 1:
        takes = f"at most {positions + 1} if decoder.max_length is {positions}"
        raise RecipeError(key="decode.max_length", value=longest, takes=takes)
