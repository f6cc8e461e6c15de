"""The right label from names, folders and files."""

from pathlib import Path

import pytest

from showtell.plumbing.errors import InputError
from showtell.zeroshot.labels import Labels
from showtell.zeroshot.truth import read_truth

IDS = Labels(("cat", "dog", "tennis court"), ("0", "1", "2"))
NAMES = Labels(("cat", "tennis", "tennis court"))


def photos(*names):
    return {name: Path("album") / name for name in names}


def test_a_name_begins_with_an_id():
    assert read_truth("name", photos("2_450.png", "0_1.jpg", "9_1.jpg", "x.jpg"), IDS) == {"2_450.png": 2, "0_1.jpg": 0}


def test_a_name_begins_with_the_longest_label():
    found = read_truth("name", photos("tennis_court_1.jpg", "tennis-2.jpg", "Cat12.jpg", "cattle_1.jpg"), NAMES)
    assert found == {"tennis_court_1.jpg": 2, "tennis-2.jpg": 1, "Cat12.jpg": 0}


def test_a_folder_is_a_label():
    of_folders = {"a": Path("set/tennis_court/1.jpg"), "b": Path("set/Cat/1.jpg"), "c": Path("set/other/1.jpg")}
    assert read_truth("folder", of_folders, NAMES) == {"a": 2, "b": 0}
    assert read_truth("folder", {"a": Path("set/1/1.jpg")}, IDS) == {"a": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("truth.csv", "filename,label\na.png,1\nb.png,2\n"),
        ("truth.csv", "a.png,dog\nb,tennis_court\nelse.png,0\n"),
        ("truth.json", '{"a.png": 1, "b.png": "tennis court"}'),
    ],
)
def test_a_file_says_it_by_id_or_by_name(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_truth(str(tmp_path / name), photos("a.png", "b.png", "c.png"), IDS) == {"a.png": 1, "b.png": 2}


def test_a_mapping_does_too():
    assert read_truth({"a.png": "dog"}, photos("a.png"), IDS) == {"a.png": 1}


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("truth.csv", "a.png,horse\n", "horse"),
        ("truth.csv", "a.png\n", "no label"),
        ("truth.csv", "else.png,1\n", "no photo a label"),
        ("truth.json", "[1]", "no truth"),
        ("truth.json", "{", "not JSON"),
    ],
)
def test_a_file_with_a_mistake_is_refused(tmp_path, name, text, word):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=word):
        read_truth(str(tmp_path / name), photos("a.png"), IDS)


@pytest.mark.parametrize("given", ["name", "folder", "nofile.csv", "names"])
def test_no_truth_at_all_is_an_error(given):
    with pytest.raises(InputError, match="filename,label") as error:
        read_truth(given, photos("x.png"), IDS)
    assert error.value.key == "--truth"
