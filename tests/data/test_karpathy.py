"""Karpathy's JSON: found and read; what is wrong with an image leaves out that image."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from showtell.data import DATA, LeftOut, Record
from showtell.data.karpathy import find_jsons, karpathy
from showtell.plumbing.errors import InputError


def entry(filename: Any, split: Any = "train", captions: Any = ("a dog",), **more: Any) -> dict[str, Any]:
    return {"filename": filename, "split": split, "sentences": [{"raw": caption} for caption in captions], **more}


def write(root: Path, entries: Any, photos: str | None = "images", name: str = "dataset_toy.json") -> Path:
    """A data set in `root`, with its photos in the folder `photos`."""
    root.mkdir(exist_ok=True)
    (root / name).write_text(json.dumps({"dataset": "toy", "images": entries}))
    for item in entries if photos is not None else []:
        if isinstance(item, dict) and isinstance(item.get("filename"), str) and item["filename"]:
            path = root / str(photos) / item.get("filepath", "") / item["filename"]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (2, 2)).save(path)
    return root


def refusal(root: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        karpathy(root=root, **options)
    return str(caught.value)


def test_an_entry_becomes_a_record(tmp_path: Path) -> None:
    write(tmp_path, [entry("b.jpg", "val", ["A dog .", " a cat\n"]), entry("a.jpg", "test")])
    records = DATA["karpathy"](root=tmp_path)
    assert records == [
        Record("b.jpg", tmp_path / "images" / "b.jpg", ("A dog .", "a cat"), "val"),
        Record("a.jpg", tmp_path / "images" / "a.jpg", ("a dog",), "test"),
    ]
    assert (records.form, records.left_out) == ("karpathy: dataset_toy.json", ())


def test_restval_counts_as_train(tmp_path: Path) -> None:
    write(tmp_path, [entry("a.jpg", "restval"), entry("b.jpg", "train")])
    assert [record.split for record in karpathy(root=tmp_path)] == ["train", "train"]


@pytest.mark.parametrize("folder", ["images", "Images", "Flicker8k_Dataset", "."])
def test_photos_are_found_in_the_usual_folders(tmp_path: Path, folder: str) -> None:
    write(tmp_path, [entry("a.jpg")], photos=folder)
    (tmp_path / "images").mkdir(exist_ok=True)  # an empty usual folder does not hide the right one
    assert karpathy(root=tmp_path)[0].path.is_file()


@pytest.mark.parametrize("folder", ["images", "."])
def test_the_filepath_of_coco_is_followed(tmp_path: Path, folder: str) -> None:
    write(tmp_path, [entry("a.jpg", filepath="val2014"), entry("b.jpg", filepath="train2014")], photos=folder)
    records = karpathy(root=tmp_path)
    assert [record.path for record in records] == [
        tmp_path / folder / "val2014" / "a.jpg",
        tmp_path / folder / "train2014" / "b.jpg",
    ]


def test_file_and_photos_can_be_named(tmp_path: Path) -> None:
    write(tmp_path, [entry("a.jpg")], photos="pixels", name="mine.json")
    assert karpathy(root=tmp_path, file="mine.json", images="pixels")[0].path == tmp_path / "pixels" / "a.jpg"


def test_which_json_is_asked_where_it_is_not_plain(tmp_path: Path) -> None:
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path}: it has no dataset_*.json; ") and message.endswith("data.file=NAME.json")
    write(tmp_path, [entry("a.jpg")], name="dataset_b.json")
    write(tmp_path, [entry("a.jpg")], name="dataset_a.json")
    assert refusal(tmp_path) == (
        f"{tmp_path}: it has 2 captions files (dataset_a.json, dataset_b.json); choose one: data.file=dataset_a.json"
    )
    assert len(karpathy(root=tmp_path, file="dataset_b.json")) == 1
    message = refusal(tmp_path, file="c.json")
    assert message.startswith("data.file is 'c.json'") and str(tmp_path / "c.json") in message


def test_a_root_that_is_not_a_folder_is_an_error(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent") == f"data.root is '{tmp_path / 'absent'}'; it takes a folder that exists"


@pytest.mark.parametrize("content", ["[1, 2]", "{}", '{"images": []}', '{"images": 3}', "null"])
def test_another_form_of_json_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset_toy.json").write_text(content)
    message = refusal(tmp_path)
    assert message.startswith("dataset_toy.json: it has no list 'images'") and "Karpathy's" in message


@pytest.mark.parametrize("content", [b"{'a'}", b"", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dataset_toy.json").write_bytes(content)
    assert refusal(tmp_path).startswith("dataset_toy.json: not JSON (")


@pytest.mark.parametrize("bad", [{}, {"filename": 7}, {"filename": ""}, "a.jpg", None])
def test_an_entry_without_a_name_is_left_out(tmp_path: Path, bad: Any) -> None:
    write(tmp_path, [entry("a.jpg"), bad])
    assert karpathy(root=tmp_path).left_out == (LeftOut("dataset_toy.json entry 2", "no photo named"),)


def test_missing_photos_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, [entry(f"{letter}.jpg") for letter in "abc"])
    (tmp_path / "images" / "b.jpg").unlink()
    records = karpathy(root=tmp_path)
    assert [record.image_id for record in records] == ["a.jpg", "c.jpg"]
    assert records.left_out == (LeftOut("b.jpg", "no such photo"),)


def test_no_photo_at_all_says_where_it_looked(tmp_path: Path) -> None:
    write(tmp_path, [entry("a.jpg"), entry("b.jpg")], photos=None)
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path}: none of the 2 photos exists (first: a.jpg); searched in ")
    assert message.endswith("data.images=FOLDER")
    (tmp_path / "empty").mkdir()
    assert "searched in empty;" in refusal(tmp_path, images="empty")
    assert refusal(tmp_path, images="absent").startswith(f"data.images is '{tmp_path / 'absent'}'; it takes a folder")


WHERE = "dataset_toy.json entry 2"


@pytest.mark.parametrize(
    ("bad", "left_out"),
    [
        (entry("x.jpg", captions=[]), [("x.jpg", "no caption")]),
        (entry("x.jpg") | {"sentences": None}, [("x.jpg", "no caption")]),
        (entry("x.jpg", captions=["a dog", " \n"]), [(f"{WHERE} caption 2", "empty caption")]),
        (entry("x.jpg", captions=["a dog", 3]), [(f"{WHERE} caption 2", "caption that is not text")]),
        (entry("x.jpg") | {"sentences": ["a dog"]}, [(WHERE, "caption that is not text"), ("x.jpg", "no caption")]),
        (entry("x.jpg", "dave"), [(WHERE, "unknown split")]),
        (entry("x.jpg", None), [(WHERE, "unknown split")]),
        (entry("x.jpg", ["val"]), [(WHERE, "unknown split")]),
    ],
)
def test_what_is_wrong_with_an_image_leaves_it_out_with_its_name(tmp_path: Path, bad: Any, left_out: Any) -> None:
    write(tmp_path, [entry("a.jpg"), bad])
    assert list(karpathy(root=tmp_path).left_out) == left_out


def test_what_hugging_face_lays_beside_a_set_is_no_captions_file(tmp_path):
    (tmp_path / "dataset_info.json").write_text('{"features": {}}')
    assert find_jsons(tmp_path) == []
    (tmp_path / "dataset_mine.json").write_text("{}")
    assert [path.name for path in find_jsons(tmp_path)] == ["dataset_mine.json"]


def test_a_number_of_thousands_of_digits_is_told_without_advice_for_programmers(tmp_path):
    (tmp_path / "dataset_big.json").write_text('{"images": [' + "9" * 5000 + "]}")
    with pytest.raises(InputError) as error:
        karpathy(root=tmp_path)
    assert str(error.value).startswith("dataset_big.json: not JSON (") and "sys." not in str(error.value)


def test_a_home_of_nobody_is_told(tmp_path):
    with pytest.raises(InputError, match=r"^data.root is '~no-such-user-here/x'; there is no such user$"):
        karpathy(root=Path("~no-such-user-here/x"))
