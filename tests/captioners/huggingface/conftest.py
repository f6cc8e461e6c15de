"""A tiny BLIP: loaded, and as a folder that a test may damage."""

import shutil

import pytest

import showtell
from tests.captioners.huggingface.tiny import folder


@pytest.fixture
def copy(tmp_path):
    """A folder of a tiny BLIP that a test may damage."""
    return shutil.copytree(folder("blip"), tmp_path / "model")


@pytest.fixture(scope="module")
def blip():
    return showtell.load(folder("blip"))
