"""Photos on disk -> captions in a file: which photos, under which names, in which forms."""

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from showtell.cache import open_source
from showtell.captioners.caption import Caption
from showtell.data.scenes.scenes import scenes
from showtell.loading import load
from showtell.plumbing.errors import InputError
from showtell.predict.captions import caption_photos, describe_all
from showtell.predict.photos import find_photos
from tests.small import RECIPE

CAPTIONS = {
    "a photo.jpg": Caption('a dog, "red"', [1, 5, 2], -1.5),
    "größe/b.jpg": Caption("ein Übergang"),
    "c": Caption(""),
}


@pytest.fixture
def album(tmp_path):
    """A folder of photos, one of which is cut short."""
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    source = scenes(**settings)[0].path.parent
    album = tmp_path / "my album"
    for number, name in enumerate(["b.png", "a.png", "trip/a b.png", "trip/c.PNG"]):
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / f"test-{number:05}.png", album / name)
    whole = (album / "b.png").read_bytes()
    (album / "bad.png").write_bytes(whole[: len(whole) // 2])
    (album / "notes.txt").write_text("no photo")
    return album


def test_describing_keeps_no_graph_of_an_encoder_that_trains(cnn_run, monkeypatch):
    captioner = load(cnn_run)
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    source = open_source([r for r in scenes(**settings) if r.split == "val"], captioner.encoder)
    assert source([0]).tokens.requires_grad
    seen, describe = [], captioner.describe

    def noted(features, **decode):
        seen.append(features.tokens.requires_grad)
        return describe(features, **decode)

    monkeypatch.setattr(captioner, "describe", noted)
    assert len(describe_all(captioner, source)) == 6 and seen == [False]


def test_a_folder_names_its_photos_by_their_paths_in_it(album):
    names = ["a.png", "b.png", "bad.png", "trip/a b.png", "trip/c.PNG"]
    assert find_photos([album]) == {name: album / name for name in names}


def test_photos_are_named_by_their_names(album):
    paths = [album / "trip" / "a b.png", album / "b.png"]
    assert find_photos(paths) == {"a b.png": paths[0], "b.png": paths[1]}


def test_two_photos_of_one_name_are_named_by_their_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x/a.jpg", "y/a.jpg", "y/b.jpg", "z/x/a.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    found = find_photos([Path("x/a.jpg"), Path("y")])
    assert list(found) == ["x/a.jpg", "y/a.jpg", "b.jpg"]
    assert list(find_photos([Path("x/a.jpg"), Path("./x/a.jpg"), Path("x")])) == ["a.jpg"]
    found = find_photos([Path("x/a.jpg"), Path("y/a.jpg"), Path("z")])  # z's own photo is called x/a.jpg
    assert [path.as_posix() for path in found.values()] == list(found) == ["x/a.jpg", "y/a.jpg", "z/x/a.jpg"]


def test_what_does_not_exist_is_told(tmp_path):
    for path in (tmp_path / "none.jpg", tmp_path / "none"):
        with pytest.raises(InputError, match=f"^{path} does not exist; name photos or folders of photos$"):
            find_photos([path])
    (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
    assert find_photos([tmp_path / "link.jpg"]) == {"link.jpg": tmp_path / "link.jpg"}  # whose reader says more
    with pytest.raises(InputError, match=f"^{tmp_path}/empty: no photos in it or its subfolders; searched for .jpg"):
        (tmp_path / "empty").mkdir()
        find_photos([tmp_path / "empty"])
    with pytest.raises(InputError, match=r"^no photo is given; name photos or folders of photos$"):
        find_photos([])


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_the_others_are_captioned_where_one_cannot_be_read(album, frozen_run, batch_size):
    captioner, photos = load(frozen_run), find_photos([album])
    found = dict(caption_photos(captioner, photos, batch_size))
    assert list(found) == list(photos)
    assert str(found.pop("bad.png")) == "bad.png: truncated"
    for image_id, caption in found.items():
        assert caption.text == captioner.caption([photos[image_id]])[0].text


def test_a_batch_of_unreadable_photos_is_told_photo_by_photo(tmp_path, frozen_run):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("no photo")
    found = dict(caption_photos(load(frozen_run), find_photos([tmp_path])))
    assert [str(error).partition(": ")[0] for error in found.values()] == ["a.jpg", "b.jpg"]
    assert all(isinstance(error, InputError) for error in found.values())


def test_captioning_photos_takes_decoding_options(album, frozen_run):
    captioner, photos = load(frozen_run), {"a": album / "a.png"}
    short = dict(caption_photos(captioner, photos, name="greedy", max_length=3))["a"]
    assert len(short.tokens) <= 3


def test_long_work_shows_a_bar_and_short_work_stays_quiet(album, frozen_run, monkeypatch):
    photos = find_photos([album])
    said = {}
    for seconds in (60.0, -1.0):
        monkeypatch.setattr("showtell.plumbing.progress.QUIET_SECONDS", seconds)
        console = Console(file=io.StringIO(), width=100)
        list(caption_photos(load(frozen_run), photos, console=console))
        said[seconds] = console.file.getvalue()
    assert said[60.0] == ""
    assert "captioning" in said[-1.0] and "5/5" in said[-1.0] and "photos/s" in said[-1.0]
