"""JSON files that people score: every usual form is read, everything else is refused with the file's name."""

import json
import re

import pytest

from showtell.plumbing.errors import InputError
from showtell.scoring.formats import read_candidates, read_frequencies, read_references, read_training

COCO_CAPTIONS = {
    "info": {},
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 7, "caption": "a dog"},
        {"id": 2, "image_id": 8, "caption": "a cat"},
        {"id": 3, "image_id": 7, "caption": "the dog"},
    ],
}
KARPATHY = {
    "dataset": "toy",
    "images": [
        {"filename": "a.jpg", "imgid": 0, "sentences": [{"raw": "a dog"}, {"raw": "the dog"}]},
        {"filename": "b.jpg", "imgid": 1, "sentences": [{"raw": "a cat", "tokens": ["a", "cat"]}]},
    ],
}


def written(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


@pytest.mark.parametrize(
    "content",
    [
        {"7": "a dog", "8": ""},
        [{"image_id": 7, "caption": "a dog"}, {"image_id": "8", "caption": "", "id": 3}],
    ],
    ids=["by image_id", "COCO results"],
)
def test_candidates_come_in_two_forms(tmp_path, content):
    assert read_candidates(written(tmp_path, content)) == {"7": "a dog", "8": ""}


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        ({"a.jpg": ["a dog", "the dog"], "b.jpg": ["a cat"]}, ["a.jpg", "b.jpg"]),
        (COCO_CAPTIONS, ["7", "8"]),
        (KARPATHY, ["a.jpg", "b.jpg"]),
    ],
    ids=["by image_id", "COCO", "Karpathy"],
)
def test_references_come_in_three_forms(tmp_path, content, ids):
    first, second = ids
    assert read_references(written(tmp_path, content)) == {first: ["a dog", "the dog"], second: ["a cat"]}


TWO = [["a dog", "the dog"], ["a cat"]]


@pytest.mark.parametrize(
    ("said", "ids"),
    [([], "first"), (["a.jpg"], "names"), (["7"], "numbers"), (["7", "8", "a.jpg"], "numbers"), (["c"], "first")],
)
def test_images_go_by_the_names_that_most_candidates_have(tmp_path, said, ids):
    named, numbered = (dict(zip(keys, TWO, strict=True)) for keys in (("a.jpg", "b.jpg"), ("7", "8")))
    karpathy = {"images": [i | {"cocoid": 7 + n} for n, i in enumerate(KARPATHY["images"])]}
    for content, first in ((COCO_CAPTIONS, numbered), (karpathy, named)):
        wanted = {"first": first, "names": named, "numbers": numbered}[ids]
        assert read_references(written(tmp_path, content), said) == wanted


def test_names_that_two_images_share_join_nothing(tmp_path):
    coco = COCO_CAPTIONS | {"images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "a.jpg"}]}
    karpathy = {"images": [image | {"cocoid": 7} for image in KARPATHY["images"]]}
    assert list(read_references(written(tmp_path, coco), ["a.jpg"])) == ["7", "8"]
    assert list(read_references(written(tmp_path, karpathy), ["7"])) == ["a.jpg", "b.jpg"]


def test_a_file_from_windows_is_read(tmp_path):
    path = tmp_path / "file.json"
    path.write_text('{"é.jpg": "a café"}', "utf-8-sig")
    assert read_candidates(path) == {"é.jpg": "a café"}


TAKES_CAPTIONS = 'holds no captions; it takes {image_id: caption} or [{"image_id": .., "caption": ..}]'
TAKES_REFERENCES = "holds no references; it takes {image_id: [captions]}, COCO or Karpathy JSON"


@pytest.mark.parametrize(
    "content",
    [{}, [], 3, "null", [3], [["a.jpg", "a dog"]], [{"image_id": 7}], [{"caption": "a dog"}], COCO_CAPTIONS],
    ids=lambda content: json.dumps(content)[:20],
)
def test_what_holds_no_captions_is_refused(tmp_path, content):
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path} {TAKES_CAPTIONS}')}$"):
        read_candidates(path)


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"a.jpg": "a dog"},
        {"annotations": []},
        {"annotations": [{"image_id": 7, "bbox": [1, 2, 3, 4]}]},
        {"annotations": [7]},
        {"images": []},
        {"images": [{"filename": "a.jpg"}]},
        {"images": [{"filename": "a.jpg", "sentences": []}]},
        {"images": [{"filename": "a.jpg", "sentences": [{"tokens": ["a"]}]}]},
        {"images": [{"id": 7, "sentences": [{"raw": "a dog"}]}]},
    ],
    ids=lambda content: json.dumps(content)[:60],
)
def test_what_holds_no_references_is_refused(tmp_path, content):
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path} {TAKES_REFERENCES}')}$"):
        read_references(path)


@pytest.mark.parametrize(
    ("read", "content", "twice"),
    [
        (read_candidates, '{"a.jpg": "a dog", "b.jpg": "a cat", "a.jpg": "the dog"}', "'a.jpg'"),
        (read_candidates, [{"image_id": 7, "caption": "a dog"}, {"image_id": "7", "caption": "a cat"}], "'7'"),
        (read_references, '{"a.jpg": ["a dog"], "a.jpg": ["the dog"]}', "'a.jpg'"),
        (read_references, {"images": [KARPATHY["images"][0]] * 2}, "'a.jpg'"),
    ],
    ids=["candidates", "COCO results", "references", "Karpathy"],
)
def test_an_image_that_stands_there_twice_is_refused(tmp_path, read, content, twice):
    path = written(tmp_path, content)
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value) == f"{path} has {twice} twice; give each image only one entry"


@pytest.mark.parametrize("read", [read_candidates, read_references])
def test_what_cannot_be_read_is_told_with_the_reason(tmp_path, read):
    cut, photo = written(tmp_path, '{"a.jpg": '), tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff\xe0")
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 200_000)
    for path, reason in (
        (cut, "is not JSON: Expecting value: line 1 column 11 (char 10)"),
        (photo, "is no text in UTF-8: byte 0 is 0xff"),
        (deep, "is not JSON: it is nested deeper than 64 levels"),
        (tmp_path / "none.json", "does not exist"),
        (tmp_path, "is a folder, not an ordinary file"),
    ):
        with pytest.raises(InputError) as error:
            read(path)
        assert str(error.value) == f"{path} {reason}"


SPLIT = {
    "images": [
        image | {"split": split}
        for image, split in zip(
            [*KARPATHY["images"], {"filename": "c.jpg", "sentences": [{"raw": "a cow"}]}],
            ("train", "val", "restval"),
            strict=True,
        )
    ]
}


def test_training_captions_are_those_of_the_images_that_are_trained_on(tmp_path):
    assert read_training(written(tmp_path, SPLIT)) == ["a dog", "the dog", "a cow"]
    for whole in (KARPATHY, COCO_CAPTIONS, {"a": ["a dog", "the dog"], "b": ["a cat"]}):
        assert sorted(read_training(written(tmp_path, whole))) == ["a cat", "a dog", "the dog"]


def test_frequencies_are_counted_in_every_image_of_the_file(tmp_path):
    assert read_frequencies(written(tmp_path, SPLIT)) == [["a dog", "the dog"], ["a cat"], ["a cow"]]


@pytest.mark.parametrize(
    ("read", "content", "told"),
    [
        (read_training, {"a": ["a dog", 3]}, ": a caption of a is 3, not text; write a string"),
        (read_frequencies, {"a": [None]}, ": a caption of a is None, not text; write a string"),
        (read_training, {"images": [SPLIT["images"][1]]}, " has no training captions: no image has the split train or"),
        (read_training, ["a dog"], f" {TAKES_REFERENCES}"),
        (read_frequencies, "a dog", " is not JSON: "),
    ],
)
def test_what_is_no_corpus_is_refused(tmp_path, read, content, told):
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}{told}')}"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"image_id": "7", "caption": "a dog", "log_prob": -1}\n{"image_id": "8", "caption": "a, cat"}\n'),
        ("a.csv", 'image_id,caption\n7,a dog\n8,"a, cat"\n'),
        ("captions.txt", 'image,caption\n7,a dog\n8,"a, cat"\n'),
        ("a.token.txt", "7#0\ta dog\n8#0\ta, cat\n"),
        ("a.json", '{"7": ["a dog"], "8": ["a, cat"]}'),
    ],
)
def test_candidates_and_references_take_the_same_forms(tmp_path, name, content):
    (tmp_path / name).write_text(content, "utf-8")
    assert read_candidates(tmp_path / name) == {"7": "a dog", "8": "a, cat"}
    assert read_references(tmp_path / name) == {"7": ["a dog"], "8": ["a, cat"]}
    assert read_frequencies(tmp_path / name) == [["a dog"], ["a, cat"]]


def test_several_captions_of_an_image_are_references_and_no_candidates(tmp_path):
    for name, content in {
        "a.jsonl": '{"image_id": "7", "caption": "a"}\n{"image_id": "7", "caption": "b"}\n',
        "a.csv": "image_id,caption\n7,a\n7,b\n",
        "a.json": '{"7": ["a", "b"]}',
    }.items():
        (tmp_path / name).write_text(content)
        assert read_references(tmp_path / name) == {"7": ["a", "b"]}
        with pytest.raises(InputError, match=r"twice|2 captions"):
            read_candidates(tmp_path / name)


def test_a_table_with_splits_has_the_training_captions_of_train(tmp_path):
    (tmp_path / "a.csv").write_text("image_id,caption,split\n7,a,train\n8,b,test\n")
    assert read_training(tmp_path / "a.csv") == ["a"]


@pytest.mark.parametrize(
    ("name", "content"), [("a.jsonl", "{\n"), ("a.jsonl", '{"caption": "a"}'), ("a.csv", "x,y\n1,2")]
)
def test_lines_and_rows_that_say_nothing_are_refused_with_the_files_name(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=name):
        read_candidates(tmp_path / name)
