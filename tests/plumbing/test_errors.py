"""Errors are data; their words are put together in one place, and this is the test of the words."""

import pickle
from pathlib import Path

from showtell.plumbing.errors import InputError, RecipeError, Unreadable

OPTION = {"key": "decode.num_beam", "takes": ["num_beams", "max_length"], "near": "num_beams"}


def test_a_mistyped_option_is_told_with_what_there_is():
    assert str(RecipeError("is not an option of 'beam'", **OPTION)) == (
        "decode.num_beam is not an option of 'beam'; it takes num_beams, max_length (did you mean num_beams?)"
    )


def test_a_key_alone_is_told_with_its_value():
    error = RecipeError(key="encoder.name", value="lit", taker="'x' takes", takes="a word", advice="leave it out")
    assert str(error) == "encoder.name is 'lit'; 'x' takes a word; leave it out"


def test_a_line_of_its_own_is_left_as_it_is():
    assert str(InputError("a.jpg: truncated")) == "a.jpg: truncated"
    assert str(Unreadable(Path("photos/a.jpg"), "truncated")) == "a.jpg: truncated"


def test_what_is_told_is_there_as_data():
    error = RecipeError("is not an option of 'beam'", **OPTION)
    assert {name: getattr(error, name) for name in OPTION} == OPTION | {"takes": ("num_beams", "max_length")}


def test_a_parts_key_gets_its_section_once():
    error = RecipeError(key="grid_size", value=0)
    error.within("encoder")
    error.within("encoder")
    assert str(error) == "encoder.grid_size is 0"


def test_an_error_comes_whole_out_of_another_process():
    error = RecipeError("is not an option of 'beam'", **OPTION)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
