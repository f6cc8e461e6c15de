"""The tiny models and photos, made once; without the libraries their tests are skipped."""

import pytest

from tests.clip.tiny import draw_photos, write_open_clip, write_transformers


@pytest.fixture(scope="session")
def libraries():
    from showtell.plumbing.torchvision_repair import repair_torchvision

    repair_torchvision()
    pytest.importorskip("transformers")
    pytest.importorskip("open_clip")


@pytest.fixture(scope="session")
def folder(libraries, tmp_path_factory):
    """Of transformers; not to be changed."""
    return write_transformers(tmp_path_factory.mktemp("clip") / "tiny-clip")


@pytest.fixture(scope="session")
def open_clip_folder(folder, tmp_path_factory):
    """The same weights for open_clip; not to be changed."""
    return write_open_clip(tmp_path_factory.mktemp("open_clip") / "tiny-open-clip", folder)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Six of different sizes."""
    return draw_photos(tmp_path_factory.mktemp("photos"))
