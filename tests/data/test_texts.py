"""A text beside each photo is its captions; what has no partner is named."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from showtell.cli import app
from showtell.data import DATA, LeftOut, Records
from showtell.data.auto import auto
from showtell.plumbing.errors import InputError
from showtell.predict.photos import find_photos
from tests.data.sets import draw, found, put

CATS, DOGS = "two cats\n\na cat and a cat\n", "Ein Hund läuft."


@pytest.mark.parametrize(
    ("cats", "dogs"),
    [
        ("images/1.txt", "images/2.txt"),
        ("images/1.caption", "images/2.jpg.txt"),
        ("captions/1.txt", "captions/2.txt"),
    ],
)
def test_a_text_of_a_photos_name_is_its_captions(cats: str, dogs: str, tmp_path: Path) -> None:
    root = put(tmp_path, {cats: CATS, dogs: DOGS, "README.txt": "Photos of animals."}, "images/1.jpg", "images/2.jpg")
    records = auto(root=root)
    captions = {record.image_id: record.references for record in records}
    assert captions == {"images/1.jpg": ("two cats", "a cat and a cat"), "images/2.jpg": (DOGS,)}
    assert records.left_out == () and records.form.startswith("texts: images/1.jpg with ")


def test_folders_of_splits_are_splits_and_what_has_no_partner_is_named(tmp_path: Path) -> None:
    files = {"train/1.txt": CATS, "val/1.txt": DOGS, "train/3.txt": DOGS, "train/4.txt": " \n"}
    root = put(tmp_path, files, "train/1.jpg", "val/1.jpg", "train/2.jpg", "train/4.jpg")
    records = DATA["texts"](root=root)
    assert isinstance(records, Records)
    assert {r.image_id: r.split for r in records} == {"train/1.jpg": "train", "val/1.jpg": "val"}
    assert {*records.left_out} == {
        LeftOut("train/2.jpg", "no text of its name"),
        LeftOut("train/3.txt", "text without photo"),
        LeftOut("train/4.txt", "empty caption"),
        LeftOut("train/4.jpg", "no caption"),
    }


def test_one_caption_file_of_all_photos_comes_first(tmp_path: Path) -> None:
    put(tmp_path, {"captions.txt": "image,caption\n1.jpg,A dog runs.\n", "1.txt": CATS}, "1.jpg")
    assert found(tmp_path)["1.jpg"][1] == ("A dog runs.",)


def test_the_doctor_counts_none(tmp_path: Path) -> None:
    put(tmp_path, {}, "1.jpg", "2.jpg")
    result = CliRunner().invoke(app, ["doctor", str(tmp_path)])
    assert result.exit_code == 3 and "no photo has one" in " ".join(result.stdout.split())
    with pytest.raises(InputError, match="no photo has a text"):
        DATA["texts"](root=tmp_path)


def test_what_in_a_folder_is_no_photo_is_told_and_thumbnails_of_machines_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, {"a.mp4": "", "notes.txt": "", "raw.CR2": "II*"}, "1.jpg", "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg")
    heard: list[str] = []
    assert [*find_photos([tmp_path], heard.append)] == ["1.jpg", "raw.CR2"]  # reading a raw file says what it is
    (line,) = heard
    assert "2 files that are no photo (.mp4, .txt)" in line and "@eaDir" in line


@pytest.mark.slow
@pytest.mark.parametrize("link", ["https://example.com/cat.jpg", "s3://bucket/cats", "file:///cat.jpg"])
def test_links_are_not_fetched_and_it_says_so(link: str, tmp_path: Path) -> None:
    draw(tmp_path / "1.jpg")
    for command in (["caption", link], ["doctor", link], ["caption", str(tmp_path / "1.jpg"), link]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 1 and "link" in str(result.exception)
    with pytest.raises(InputError, match="a link"):
        DATA["auto"](root=link)
