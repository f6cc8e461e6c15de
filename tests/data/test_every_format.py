"""Every format: one small set gives equal records, and what is wrong with a set is left out, nothing else."""

import contextlib
import json
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showtell.data import DATA, LeftOut, Records
from showtell.plumbing.errors import InputError
from tests.data.sets import SOUND, WRITERS, Photo, without_ending, write

FORMS = list(WRITERS)
COUNTED = {"karpathy": "dataset_toy.json", "coco": "captions_train2014.json", "flickr": "Flickr8k.token.txt"}
COUNTED |= {"csv": "train.csv", "folder": "metadata.jsonl", "webdataset": "train-000000.tar"}


def contents(records: Records) -> dict[str, tuple[tuple[str, ...], str]]:
    return {record.image_id: (record.references, record.split) for record in records}


def reasons(records: Records) -> Counter[str]:
    return Counter(each.reason for each in records.left_out)


def test_every_format_is_tried_here() -> None:
    elsewhere = {"auto", "join", "scenes", "hdf5", "photo_pickles", "texts"}  # have tests of their own
    assert set(FORMS) == set(DATA) - elsewhere


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["its own name", "auto"])
def test_captions_and_splits_come_back_as_they_were_written(form: str, name: str, tmp_path: Path) -> None:
    root = write(form, tmp_path / "set", SOUND)
    records = DATA[form if name != "auto" else "auto"](root=root)
    assert isinstance(records, Records)
    assert contents(records) == {without_ending(form, p.name): (p.captions, p.split) for p in SOUND}
    assert records.left_out == () and all(record.path.is_file() for record in records)
    assert records.form.startswith(f"{form}: ")


ODD = ["two words.jpg", 'it\'s "it".jpg', "Überfahrt.jpg", "草.jpg", "a#1, b;c.jpg", "ends with blank .jpg"]
NEWLINE = {"karpathy", "coco", "csv", "folder", "webdataset"}  # a token file's line ends there


@pytest.mark.parametrize("form", FORMS)
def test_odd_names_are_names(form: str, tmp_path: Path) -> None:
    names = ODD + ["line\nbreak.jpg"] * (form in NEWLINE)
    photos = [Photo(name, "train", ("A dog runs.",)) for name in names]
    records = DATA[form](root=write(form, tmp_path / "set", photos))
    assert {record.image_id for record in records} == {without_ending(form, name) for name in names}
    assert records.left_out == () and all(record.path.is_file() for record in records)


@pytest.mark.parametrize("form", FORMS)
def test_a_photo_that_is_missing_is_left_out(form: str, tmp_path: Path) -> None:
    records = DATA[form](root=write(form, tmp_path / "set", SOUND, missing=["b.jpg"]))
    assert contents(records).keys() == {without_ending(form, p.name) for p in SOUND} - {without_ending(form, "b.jpg")}
    if form == "webdataset":  # there nothing names the photo but its captions
        assert records.left_out == (LeftOut("train-000000.tar b", "caption without photo"),)
    else:
        assert records.left_out == (LeftOut(without_ending(form, "b.jpg"), "no such photo"),)


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"webdataset", "folder"}))
def test_a_name_in_other_case_is_the_photo_where_no_other_is_called_so(form: str, tmp_path: Path) -> None:
    root = write(form, tmp_path / "set", SOUND)
    (root / "images/b.jpg").rename(root / "images/b.JPG")
    records = DATA[form](root=root)
    assert records.left_out == () and "b.JPG" in {record.path.name for record in records}


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"webdataset"}))
def test_a_broken_link_and_a_folder_are_no_photos(form: str, tmp_path: Path) -> None:
    root = write(form, tmp_path / "set", SOUND, missing=["a.jpg", "b.jpg"])
    (root / "images/a.jpg").symlink_to(root / "nowhere.jpg")
    (root / "images/b.jpg").mkdir()
    records = DATA[form](root=root)
    assert reasons(records) == {"broken link": 1, "a folder, not a photo": 1} and len(records) == 2


@pytest.mark.parametrize("form", FORMS)
def test_captions_that_are_none_are_left_out_and_blanks_are_one(form: str, tmp_path: Path) -> None:
    bad = ("", " \t ", "\u200b", "word " * 1001)
    photos = [*SOUND, Photo("e.jpg", "train", (*bad, "A\tdog \u00a0 runs."))]
    records = DATA[form](root=write(form, tmp_path / "set", photos))
    assert contents(records)[without_ending(form, "e.jpg")] == (("A dog runs.",), "train")
    assert reasons(records) == {"empty caption": 3, "caption of over 5,000 characters": 1}


@pytest.mark.parametrize("form", FORMS)
def test_a_photo_without_any_caption_is_left_out(form: str, tmp_path: Path) -> None:
    photos = [*SOUND, Photo("e.jpg", "train", (" ",))]
    records = DATA[form](root=write(form, tmp_path / "set", photos))
    assert len(records) == 4 and reasons(records) == {"empty caption": 1, "no caption": 1}
    assert records.left_out[-1] == LeftOut(without_ending(form, "e.jpg"), "no caption")


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"webdataset"}))
def test_an_id_twice_is_one_photo_with_all_captions(form: str, tmp_path: Path) -> None:
    twice = [*SOUND, Photo("a.jpg", "train", ("A third.",))]
    records = DATA[form](root=write(form, tmp_path / "set", twice))
    assert contents(records)[without_ending(form, "a.jpg")][0] == (*SOUND[0].captions, "A third.")
    assert len(records) == 4 and records.left_out == ()


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"webdataset", "flickr"}))  # a list names a photo once
def test_a_photo_of_two_splits_stays_in_the_first(form: str, tmp_path: Path) -> None:
    both = [*SOUND, Photo("a.jpg", "val", ("A third.",))]
    records = DATA[form](root=write(form, tmp_path / "set", both))
    assert contents(records)[without_ending(form, "a.jpg")] == (SOUND[0].captions, "train")
    assert records.left_out == (LeftOut(without_ending(form, "a.jpg"), "already in another split"),)


@pytest.mark.parametrize("form", FORMS)
def test_photos_that_no_caption_names_are_no_records(form: str, tmp_path: Path) -> None:
    root = write(form, tmp_path / "set", SOUND)
    (root / "images").mkdir(exist_ok=True)
    shutil.copy(DATA[form](root=root)[0].path, root / "images/alone.jpg")
    records = DATA[form](root=root)
    assert len(records) == 4 and records.left_out == ()


@pytest.mark.parametrize("form", FORMS)
def test_a_set_without_any_photo_is_an_error(form: str, tmp_path: Path) -> None:
    root = write(form, tmp_path / "set", SOUND, missing=[photo.name for photo in SOUND])
    with pytest.raises(InputError, match=r"no usable rows|none of the 4 photos exists"):
        DATA[form](root=root)


@pytest.mark.parametrize("form", FORMS)
def test_a_set_without_any_caption_is_an_error(form: str, tmp_path: Path) -> None:
    root = write(form, tmp_path / "set", [photo._replace(captions=(" ",)) for photo in SOUND])
    with pytest.raises(InputError, match=r"no usable rows, read as .*4 empty caption \(first: "):
        DATA[form](root=root)


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_folder_no_folder_and_a_file_are_errors(form: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "empty").mkdir()
    for name, line in [("absent", "a folder that exists"), ("a.jpg", "not a file"), ("empty", "empty: .*no ")]:
        with pytest.raises(InputError, match=line):
            DATA[form](root=tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "utf-32"])
@pytest.mark.parametrize("form", ["karpathy", "coco", "flickr", "csv", "folder"])
def test_text_in_another_encoding_is_read(form: str, encoding: str, tmp_path: Path) -> None:
    photos = [Photo("ü.jpg", "train", ("Ein Hund läuft.",)), Photo("b.jpg", "val", ("Noch ein Hund.",))]
    root = write(form, tmp_path / "set", photos)
    for path in root.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".csv", ".txt"):
            text = path.read_text("utf-8")
            text = json.dumps(json.loads(text), ensure_ascii=False) if path.suffix == ".json" else text
            path.write_bytes(text.encode(encoding))
    records = DATA[form](root=root)
    assert contents(records)[without_ending(form, "ü.jpg")][0] == ("Ein Hund läuft.",)
    assert records.left_out == ()
    told = {"utf-8-sig": "", "utf-16": "utf-16", "utf-32": "utf-32", "cp1252": "Windows-1252"}[encoding]
    if form != "folder" or encoding != "cp1252":  # whose JSON writes ü in ASCII
        assert f"read as {told}" in records.form if told else "read as" not in records.form


@pytest.mark.parametrize("form", FORMS)
def test_lone_surrogates_and_nul_cannot_reach_a_caption(form: str, tmp_path: Path) -> None:
    if form in ("flickr", "csv"):
        pytest.skip("no half letter can be written there")
    root = write(form, tmp_path / "set", [*SOUND, Photo("e.jpg", "train", ("a\0dog \ud800 runs",))])
    assert contents(DATA[form](root=root))[without_ending(form, "e.jpg")][0] == ("a dog \ufffd runs",)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {form: write(form, tmp_path_factory.mktemp(form) / "set", SOUND) for form in FORMS}


def damaged(content: bytes, kind: int, seed: int) -> bytes:
    chance = random.Random(seed)
    place = chance.randrange(len(content) + 1)
    noise = chance.randbytes(chance.randrange(1, 40))
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + noise + content[place + len(noise) :]
    if kind == 2:
        return content[:place] + content[chance.randrange(len(content) + 1) :]
    return (
        content[:place]
        + chance.choice([b'"', b"\n", b"\0", b",", b"\t", b"\r", b"{", b"\xff\xfe", b"[["])
        + content[place:]
    )


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@given(kind=st.integers(0, 3), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_leaves_records_or_an_input_error(
    form: str, kind: int, seed: int, originals: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    shutil.copytree(originals[form], root, dirs_exist_ok=True)
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".jpg")
    path = files[seed % len(files)]
    path.write_bytes(damaged(path.read_bytes(), kind, seed))
    for name in (form, "auto"):
        try:
            records = DATA[name](root=root)
        except InputError as error:
            assert str(error)
        else:
            assert all(record.references and record.split in ("train", "val", "test") for record in records)
            assert all(caption.strip() == caption != "" for record in records for caption in record.references)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("a.jpg"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "images",
                    "annotations",
                    "id",
                    "image_id",
                    "file_name",
                    "caption",
                    "filename",
                    "sentences",
                    "raw",
                    "split",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "name"), [("karpathy", "dataset_x.json"), ("coco", "captions.json"), ("folder", "metadata.jsonl")]
)
@given(content=JSON)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_records_or_an_input_error(
    form: str, name: str, content: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp() / f"json-{form}"
    root.mkdir(exist_ok=True)
    (root / "a.jpg").touch()
    (root / name).write_text(json.dumps(content))
    with contextlib.suppress(InputError):
        DATA[form](root=root)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["captions.csv", "captions.txt", "x.token.txt", "metadata.jsonl", "train-0.tar"])
@given(
    content=st.binary(max_size=600)
    | st.text(max_size=300).map(lambda text: f"image,caption\na.jpg,{text}".encode("utf-8", "replace"))
)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_records_or_an_input_error(
    name: str, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp() / f"bytes-{name}"
    root.mkdir(exist_ok=True)
    (root / "a.jpg").touch()
    (root / name).write_bytes(content)
    with contextlib.suppress(InputError):
        DATA["auto"](root=root)
