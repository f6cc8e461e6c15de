"""Labels in every form, and what is refused: gaps, duplicates, empty names."""

import pytest

from showtell.plumbing.errors import InputError
from showtell.zeroshot.labels import Labels, read_labels

FILES = {
    "ids.json": ('{"1": "dog", "0": "cat", "2": "tennis court"}', ("0", "1", "2")),
    "names.json": ('["cat", "dog", "tennis court"]', None),
    "turned.json": ('{"dog": 1, "cat": 0, "tennis court": 2}', ("0", "1", "2")),
    "from_one.json": ('{"1": "cat", "2": "dog", "3": "tennis court"}', ("1", "2", "3")),
    "names.txt": ("cat\ndog\ntennis court\n", None),
    "ids.txt": ("0: cat\n1: dog\n2: tennis court\n", ("0", "1", "2")),
    "tabs.txt": ("1\tdog\n0\tcat\n2\ttennis court\n", ("0", "1", "2")),
    "windows.txt": ("\ufeffcat\r\ndog\r\n tennis court \r\n\r\n", None),
    "names.csv": ("label\ncat\ndog\ntennis court\n", None),
    "bare.csv": ("cat\ndog\ntennis court\n", None),
    "ids.csv": ("id,label\n0,cat\n1,dog\n2,tennis court\n", ("0", "1", "2")),
    "bare_ids.csv": ("cat,0\ndog,1\ntennis court,2\n", ("0", "1", "2")),
    "more.csv": ("colour,name,id\nred,cat,0\nblue,dog,1\ngreen,tennis court,2\n", ("0", "1", "2")),
    "ids.tsv": ("0\tcat\n1\tdog\n2\ttennis court\n", ("0", "1", "2")),
}


@pytest.mark.parametrize("name", FILES)
def test_every_form_of_a_file_gives_the_same_labels(tmp_path, name):
    text, ids = FILES[name]
    (tmp_path / name).write_text(text, "utf-8")
    assert read_labels(str(tmp_path / name)) == Labels(("cat", "dog", "tennis court"), ids)


def test_numbers_that_belong_to_the_names_are_no_ids(tmp_path):
    (tmp_path / "counts.txt").write_text("1 cat\n2 cats\n")
    assert read_labels(str(tmp_path / "counts.txt")) == Labels(("1 cat", "2 cats"))


def test_a_label_may_have_texts_of_its_own(tmp_path):
    (tmp_path / "texts.json").write_text('{"cat": ["a cat", "whiskers"], "dog": ["a dog"]}')
    assert read_labels(str(tmp_path / "texts.json")).texts == (("a cat", "whiskers"), ("a dog",))


def test_words_lists_and_folders_are_labels_too(tmp_path):
    assert read_labels("cat, tennis court").names == ("cat", "tennis court")
    assert read_labels(["cat", "dog"]).names == ("cat", "dog")
    assert read_labels({0: "cat", 1: "dog"}).keys == ("0", "1")
    photos = [tmp_path / folder / name for folder in ("tennis_court", "golf-course") for name in ("1.jpg", "2.jpg")]
    assert read_labels("folders", photos).names == ("golf course", "tennis court")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"0": "cat", "2": "dog"}', "id 1 is missing"),
        ('{"0": "cat", "9": "dog"}', "and more are missing"),
        ('{"0": "cat", "0": "dog"}', "id 0 is more than once"),
        ('{"0": "cat", "00": "dog"}', "id 0 is more than once"),
        ('{"0": "cat", "1": "Cat"}', "labels cat, Cat are more than once"),
        ('{"0": "cat", "1": " "}', "label 2 of 2 is empty"),
        ('{"0": "cat", "1": null}', "label 2"),
        ('{"a": "cat", "b": "dog"}', "'a' is no id"),
        ('{"cat": ["a"], "dog": []}', "dog"),
        ('{"cat": ["a"], "dog": [" "]}', "dog"),
        ('["cat", "dog", "cat"]', "label cat is more than once"),
        ('["cat", ["dog"]]', "label 2"),
        ('["cat"]', "two or more"),
        ("[]", "two or more"),
        ("{}", "two or more"),
        ("3", "no labels"),
        ("{", "not JSON"),
    ],
)
def test_a_file_with_a_mistake_is_refused_and_named(tmp_path, text, word):
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(InputError, match=word) as error:
        read_labels(str(tmp_path / "labels.json"))
    assert "labels.json" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.txt", "cat\n\ndog\n", "label 2 of 3 is empty"),
        ("a.txt", "", "two or more"),
        ("a.csv", "id,label\n0,cat\n2,dog\n", "id 1 is missing"),
        ("a.csv", "a,b,c\nd,e,f\n", "3 columns"),
        ("a.csv", "", "two or more"),
    ],
)
def test_other_files_with_a_mistake_too(tmp_path, name, text, word):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=word):
        read_labels(str(tmp_path / name))


@pytest.mark.parametrize(
    ("given", "word"),
    [("cat,,dog", "label 2 of 3"), ("nofile.json", "no file"), ("cat", "cat,dog"), ("cat,cat", "more than once")],
)
def test_words_with_a_mistake_are_refused(given, word):
    with pytest.raises(InputError, match=word):
        read_labels(given)


def test_a_folder_is_no_file_of_labels(tmp_path):
    with pytest.raises(InputError, match="--labels folders"):
        read_labels(str(tmp_path))
