"""A bare folder: which files are photos, in which order, under which names."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from showtell.data import DATA, LeftOut, Record, Records
from showtell.data.auto import auto
from showtell.data.folder import folder
from showtell.plumbing.errors import InputError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One stands in a set with folders that may not be read, below one that may not be entered; root becomes nobody."""
    root = tmp_path / "above/set"
    touch(root, "a.jpg", "b/c.jpg", "annotations/x.csv", "captions/y.csv")
    monkeypatch.chdir(root)
    for name, mode in (("", 0o755), ("b", 0o755), ("annotations", 0o000), ("captions", 0o744), ("..", 0o000)):
        Path(name).chmod(mode)
    user = os.geteuid()
    os.seteuid(user or 65534)
    yield
    os.seteuid(user)
    root.parent.chmod(0o755)
    (root / "annotations").chmod(0o755)


@pytest.mark.parametrize("read", [folder, auto])
def test_folders_that_may_not_be_read_or_entered_cost_no_photo(stranger: None, read: Callable[..., Records]) -> None:
    records = read(root=Path())
    assert isinstance(records, Records) and [record.image_id for record in records] == ["a.jpg", "b/c.jpg"]
    assert records.form == "folder: bare photos (not read: captions/y.csv; captions in one: data=NAME data.file=FILE)"


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
    assert f"(not read: b.json, c.tar.gz, mine.csv and 1 more; {hint}; unpack" in DATA["auto"](root=tmp_path).form


@pytest.mark.parametrize(
    "name", ["labels.xml", "x.zip", "x.tar.gz", "x.tgz", "annotations/instances.json", "captions/x.xlsx"]
)
def test_so_are_archives_and_what_lies_in_folders_for_captions(name: str, tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", name)
    assert f"(not read: {name}; " in folder(root=tmp_path).form


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_text_is_named_where_it_names_photos_or_is_called_as_one(encoding: str, tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "images/two words.jpg", "images/c.jpg", "two words.txt")
    (tmp_path / "README.txt").write_text("These are photos, such as a.jpg and others.\n", encoding)
    (tmp_path / "labels.txt").write_text("image,caption\na.jpg,A dog\nimages/two words.jpg,A cat\n", encoding)
    assert "(not read: labels.txt, two words.txt; captions in one: " in folder(root=tmp_path).form


def test_of_an_archive_without_photos_beside_it_the_error_says_so(tmp_path: Path) -> None:
    touch(tmp_path, "train-000000.tar.gz")
    with pytest.raises(
        InputError, match=r"no photos in it .* \(not read: train-000000.tar.gz; unpack archives first\)"
    ):
        DATA["auto"](root=tmp_path)


def test_a_hidden_parent_of_the_folder_does_not_matter(tmp_path: Path) -> None:
    touch(tmp_path, ".cache/photos/a.jpg")
    assert len(folder(root=tmp_path / ".cache" / "photos")) == 1


def test_a_broken_link_is_left_to_the_reader(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert [record.image_id for record in folder(root=tmp_path)] == ["gone.jpg"]


def test_linked_folders_are_followed_each_folder_once(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/1.jpg", "elsewhere/below/2.jpg", "set/a/3.jpg", "set/.hidden/4.jpg")
    root = tmp_path / "set"
    (root / "Z").symlink_to(tmp_path / "elsewhere")
    (root / "a/again").symlink_to(tmp_path / "elsewhere/below")
    (root / "0").symlink_to(root / "a")  # photos of a/ keep the name that they have without it
    assert [record.image_id for record in folder(root=root)] == ["Z/1.jpg", "Z/below/2.jpg", "a/3.jpg"]
    assert folder(root=root)[0].path == root / "Z/1.jpg"


def test_links_in_a_circle_and_to_above_bring_nothing_more(tmp_path: Path) -> None:
    touch(tmp_path, "other/1.jpg", "set/a.jpg", "set/b/c.jpg")
    root = tmp_path / "set"
    for name, target in (("b/up", root), ("self", "."), ("above", tmp_path), ("disk", "/"), ("circle", "circle")):
        (root / name).symlink_to(target)
    assert [record.image_id for record in folder(root=root)] == ["a.jpg", "b/c.jpg"]
    (tmp_path / "link").symlink_to(root)
    assert [record.image_id for record in folder(root=tmp_path / "link")] == ["a.jpg", "b/c.jpg"]


def test_a_folder_without_photos_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "a.txt")
    with pytest.raises(InputError) as caught:
        folder(root=tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: no photos in it")
    assert ".jpg .jpeg .jfif .jpe .png .webp .bmp .gif .tif .tiff .avif" in str(caught.value)


def test_no_folder_and_a_file_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    with pytest.raises(InputError, match=r"absent'; it takes a folder that exists$"):
        folder(root=tmp_path / "absent")
    with pytest.raises(InputError, match=r"a.jpg'; it takes a folder, not a file; name the folder"):
        folder(root=tmp_path / "a.jpg")


def test_lines_that_are_no_json_are_left_out_as_such(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    lines = '{"file_name": "a.jpg", "text": "A dog"}\n\n{bad\n[1]\n'
    (tmp_path / "metadata.jsonl").write_text(lines)
    records = folder(root=tmp_path)
    assert isinstance(records, Records) and len(records) == 1
    assert records.left_out == (
        LeftOut("metadata.jsonl line 3", "not JSON"),
        LeftOut("metadata.jsonl line 4", "no photo named"),
    )
