"""A bare folder: which files are photos, in which order, under which names."""

from pathlib import Path

import pytest

from showtell.data import DATA, Record
from showtell.data.folder import folder
from showtell.errors import InputError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_photos_are_found_at_any_depth_sorted_and_named_by_their_path(tmp_path: Path) -> None:
    touch(tmp_path, "z.png", "b/2.JPG", "b/c/3.Tiff", "a.webp", "b/1.jpeg", "4.bmp", "5.gif", "6.tif")
    records = DATA["folder"](root=tmp_path)
    expected = ["4.bmp", "5.gif", "6.tif", "a.webp", "b/1.jpeg", "b/2.JPG", "b/c/3.Tiff", "z.png"]
    assert [record.image_id for record in records] == expected
    assert records[4] == Record("b/1.jpeg", tmp_path / "b" / "1.jpeg", (), "test")


def test_other_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", ".b.jpg", ".thumbnails/c.jpg", "notes.txt", "jpg", "d.jpg.part")
    (tmp_path / "e.jpg").mkdir()
    assert [record.image_id for record in folder(root=tmp_path)] == ["a.jpg"]


def test_photos_that_nobody_here_decodes_are_left_to_the_reader_too(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.HEIC", "c.avif")
    assert [record.image_id for record in folder(root=tmp_path)] == ["a.jpg", "b.HEIC", "c.avif"]


def test_files_that_may_hold_the_captions_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "notes.txt", "mine.csv", "yours.csv")
    hint = "captions in one: data=NAME data.file=FILE"
    assert DATA["auto"](root=tmp_path).form == f"folder: bare photos (not read: mine.csv, yours.csv; {hint})"
    touch(tmp_path, "b.json", "c.tar.gz")
    assert f"(not read: b.json, c.tar.gz, mine.csv and 1 more; {hint})" in DATA["auto"](root=tmp_path).form


def test_a_hidden_parent_of_the_folder_does_not_matter(tmp_path: Path) -> None:
    touch(tmp_path, ".cache/photos/a.jpg")
    assert len(folder(root=tmp_path / ".cache" / "photos")) == 1


def test_a_broken_link_is_left_to_the_reader(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert [record.image_id for record in folder(root=tmp_path)] == ["gone.jpg"]


def test_a_folder_without_photos_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "a.txt")
    with pytest.raises(InputError) as caught:
        folder(root=tmp_path)
    looked = "looked, also in its folders, for .jpg .jpeg .png .webp .bmp .gif .tif .tiff"
    assert str(caught.value) == f"{tmp_path}: no photos in it; {looked}"


def test_no_folder_and_a_file_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    with pytest.raises(InputError, match=r"absent: no such folder$"):
        folder(root=tmp_path / "absent")
    with pytest.raises(InputError, match=r"a.jpg: a file, not a folder; name the folder that holds the photos$"):
        folder(root=tmp_path / "a.jpg")
