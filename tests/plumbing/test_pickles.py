"""Of a pickle numbers are read, and nothing that it names is ever called."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from showtell.plumbing.errors import InputError
from showtell.plumbing.pickles import load_restricted
from showtell.regions.readers import open_features
from tests.regions.small import images, write_pickle


class Calls:
    """Pickled, it is a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_every_protocol_are_read(protocol: int, tmp_path: Path) -> None:
    made = images()
    reader = open_features(write_pickle(tmp_path, made, protocol))
    for name, (features, boxes) in made.items():
        assert np.array_equal(reader.features(name), features) and np.array_equal(reader.boxes(name), boxes)


def test_plain_dicts_lists_and_numbers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "all.pkl"
    path.write_bytes(pickle.dumps(OrderedDict({7: [[1.0, 2.0], [3.0, 4.5]], "b": (np.float64(1.5), 2)})))
    reader = open_features(path)
    assert reader.features("7").tolist() == [[1.0, 2.0], [3.0, 4.5]] and reader.features("b").tolist() == [1.5, 2.0]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_a_program_is_refused_and_does_not(protocol: int, tmp_path: Path) -> None:
    path, proof = tmp_path / "evil.pkl", tmp_path / "proof"
    path.write_bytes(pickle.dumps({"a": np.ones((2, 3)), "b": Calls(os.system, f"touch {proof}")}, protocol))
    with pytest.raises(InputError, match=r"asks for \w+\.system, and only numpy arrays in dicts and lists are read"):
        open_features(path)
    assert not proof.exists()


@pytest.mark.parametrize(
    "what",
    [
        Calls(eval, "1"),
        Calls(getattr, 1, "real"),
        Calls(np.load, "x"),
        Calls(np.frompyfunc, len, 1, 1),
        torch.ones(2),
        Path(),
    ],
    ids=["eval", "getattr", "np.load", "another of numpy", "a tensor", "a path"],
)
def test_whatever_else_is_named_is_refused(what: Any, tmp_path: Path) -> None:
    path = tmp_path / "all.pkl"
    path.write_bytes(pickle.dumps({"a": what}))
    with pytest.raises(InputError, match=r"a pickle that asks for .*; save the arrays as \.npz or \.safetensors"):
        load_restricted(path)


def test_dotted_names_do_not_lead_out_of_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "all.pkl"
    path.write_bytes(b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__base__\x93.")
    with pytest.raises(InputError, match=r"asks for numpy\.ndarray\.__base__"):
        load_restricted(path)


@given(st.binary(max_size=60))
def test_no_bytes_do_more_than_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "all.pkl"
    path.write_bytes(content)
    try:
        load_restricted(path)
    except InputError as error:
        assert "regions.file=" in str(error)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "holds a list, not a dict of arrays by image id"),
        ({"a": {"x": 1, "boxes": 2}}, "'a' holds x, boxes; the features of an image are called 'features'"),
    ],
    ids=["a list", "other names"],
)
def test_another_content_is_told(content: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "all.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=said):
        open_features(path)
