"""Damaged files in an album's folder: one clear line that names the file, never a caption of another photo."""

import json
import os
import shutil

import pytest

from showtell.plumbing.errors import InputError
from showtell.predict.album.items import Item
from showtell.predict.album.look import rows
from showtell.predict.album.parts import COLUMNS, OTHERS, Part
from showtell.predict.album.plan import Plan
from showtell.predict.album.settings import read_settings, settle

ITEMS = [Item(name, ["file", f"/photos/{name}"]) for name in ("a.png", "b.png", "c.png")]
SETTINGS = {"photos": ["/photos"], "photo_column": None, "model": "tiny", "decoding": "beam", "made_by": "x"}
SETTINGS |= {"format": "jsonl", "wording": ["", "", None]}


def row(item, **changed):
    full = dict(zip(COLUMNS, (item.image_id, f"a photo of {item.image_id}", -3.5, -0.5, None, None), strict=True))
    return full | changed


@pytest.fixture
def out(tmp_path):
    """An album of two parts, of two photos and one, with rows for the first."""
    settle(tmp_path, SETTINGS)
    Plan(tmp_path).extend(ITEMS, 2)
    part = Part(tmp_path, 0, "jsonl")
    part.begin(ITEMS[:2])
    part.add(map(row, ITEMS[:2]))
    part.finish()
    return tmp_path


def test_what_is_whole_is_read(out):
    assert [*rows(out)] == [(item, row(item)) for item in ITEMS[:2]]
    failed = row(ITEMS[0], caption=None, log_prob=None, error="empty file")
    Part(out, 0, "jsonl").path.write_text(json.dumps(failed) + "\n" + json.dumps(row(ITEMS[1], log_prob=-3)) + "\n")
    assert [each["error"] for _, each in rows(out)] == ["empty file", None]


A, B = (json.dumps(row(item)) + "\n" for item in ITEMS[:2])


@pytest.mark.parametrize(
    "text",
    [
        *("", A, B, B + A, A + B[:20], A + B + B, A + "[1]\n", "{}\n{}\n", "null\n" + B, A + A),
        *(A + json.dumps(row(ITEMS[1], **{name: []})) + "\n" for name in COLUMNS),
        A + json.dumps(row(ITEMS[1], caption=None)) + "\n",  # neither a caption nor an error
        A + json.dumps(row(ITEMS[1], log_prob=True)) + "\n",
        "[" * 100_000,
    ],
)
def test_rows_that_are_not_those_of_the_plan_are_damage(out, text):
    path = out / "part-00000.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=r"is damaged.*; delete it, and run again") as error:
        list(rows(out))
    assert error.value.key == str(path)


def test_an_unfinished_part_keeps_only_rows_of_its_photos(out):
    part = Part(out, 0, "jsonl")
    for text, kept in ((A + B, 2), (B, 0), (A + "[1]\n", 1), ("[" * 100_000 + "\n", 0), (A + "{}\n", 1)):
        part.partial.write_text(text)
        assert len(part.begin(ITEMS[:2])) == kept and len(part.partial.read_bytes()) == len(
            A + B if kept == 2 else A
        ) * (kept > 0)


def test_parts_that_are_mostly_a_hole_are_refused(out):
    for name in ("part-00000.jsonl", "plan.jsonl"):
        whole = (out / name).read_bytes()
        os.truncate(out / name, 2**29)
        with pytest.raises(InputError, match=r"was never written"):
            list(rows(out))
        (out / name).write_bytes(whole)


def test_a_failed_photo_beside_several_captions_is_a_row_of_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    part = Part(tmp_path, 0, "parquet")
    given = [row(ITEMS[0]) | {OTHERS: [["a dog", -4.0]]}, row(ITEMS[1], caption=None, error="empty file")]
    part.begin(ITEMS[:2])
    part.add(given)
    part.finish()
    found = list(part.rows(ITEMS[:2]))
    assert found[0][OTHERS] == [{"caption": "a dog", "log_prob": -4.0}] and found[1][OTHERS] == []


INDEX = {"starts": [0, 80], "counts": [2, 1], "end": 120}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"counts": counts} for counts in ([10**9, 1], [-3, 1], [0, 3], [1, 1], [2], [2, "1"], 5, {})),
        *({"starts": starts} for starts in ([0, 10**30], [-1, 80], [0, 0], [80, 0], ["0", 80])),
        *({"end": end} for end in (0, -5, 10**9, None, 119)),
    ],
)
def test_an_index_whose_numbers_do_not_fit_is_damage(out, wrong):
    index = json.loads((out / "plan.json").read_text())
    (out / "plan.json").write_text(json.dumps(index | wrong))
    with pytest.raises(InputError, match=r"is damaged.*--overwrite"):
        list(Plan(out).every())


@pytest.mark.parametrize(
    "line",
    [
        *(
            "garbage",
            "5",
            "[" * 50,
            "null",
            '["a.png"]',
            '["a.png", "file"]',
            '["a.png", ["file"]]',
            '[["a"], ["file", "/x"]]',
        ),
        *(
            '["a.png", ["tar", "/x", -1, 5]]',
            '["a.png", ["tar", "/x", 1.5, 5]]',
            '["a.png", [[], "/x"]]',
            '["a.png", []]',
        ),
    ],
)
def test_a_line_of_the_plan_that_is_no_photo_is_damage(out, line):
    whole = (out / "plan.jsonl").read_bytes()
    first = whole.index(b"\n")
    (out / "plan.jsonl").write_bytes(line.encode().ljust(max(first, len(line))) + whole[first:])
    for read in (lambda: Plan(out).items(0), lambda: list(Plan(out).every()), lambda: Plan(out).new(ITEMS)):
        with pytest.raises(InputError, match=r"is damaged.*--overwrite"):
            read()


@pytest.mark.parametrize(
    "content",
    [
        *([], 5, {"format": "jsonl"}, SETTINGS | {"format": "csv"}, SETTINGS | {"model": ["a"]}),
        *(SETTINGS | {"wording": ["a"]}, SETTINGS | {"wording": "abc"}, SETTINGS | {"photos": 5}),
    ],
)
def test_settings_that_are_none_are_damage(out, content):
    (out / "album.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"album.json is damaged; begin anew with --overwrite"):
        read_settings(out)


def test_settings_keep_bytes_that_are_not_utf8(tmp_path):
    given = SETTINGS | {"photos": ["/f\udcff", "/ü"], "model": "/runs/\udcfe"}
    settle(tmp_path, given)
    assert read_settings(tmp_path) == given and "/ü" in (tmp_path / "album.json").read_text("utf-8")
    settle(tmp_path, given)
    shutil.rmtree(tmp_path)


def test_other_wording_is_named_by_its_options(out):
    wrong = r"characters: none of them, now --prepend 'photo: ' --max-characters 20"
    with pytest.raises(InputError, match=wrong):
        settle(out, SETTINGS | {"wording": ["photo: ", "", 20]})
