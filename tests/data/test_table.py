"""Tables with a delimiter: where a row ends, and which columns and cells hold captions."""

import csv
import io
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showtell.data import DATA
from showtell.data.table import _parse
from tests.data.sets import found, put


def captions(root: Path) -> dict[str, tuple[str, ...]]:
    return {name: references for name, (_, references) in found(root, "csv").items()}


def test_a_cell_of_several_lines_that_mentions_a_photo_costs_no_cell_its_lines(tmp_path: Path) -> None:
    text = 'image,caption\na.jpg,"A dog.\nIt is brown."\nb.jpg,"A sign.\nIt says photo.jpg, in red."\n'
    put(tmp_path, {"captions.csv": text}, "a.jpg", "b.jpg")
    assert captions(tmp_path) == {"a.jpg": ("A dog. It is brown.",), "b.jpg": ("A sign. It says photo.jpg, in red.",)}


def test_an_open_quote_costs_no_other_row_its_lines(tmp_path: Path) -> None:
    text = 'image,caption\na.jpg,"A dog.\nIt is brown."\nb.jpg,"A cat\nc.jpg,"A bird.\nIt flies."\nd.jpg,A cow\n'
    put(tmp_path, {"captions.csv": text}, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert captions(tmp_path) == {
        "a.jpg": ("A dog. It is brown.",),
        "b.jpg": ("A cat",),
        "c.jpg": ("A bird. It flies.",),
        "d.jpg": ("A cow",),
    }


def test_a_quote_that_another_row_happens_to_close_loses_no_row(tmp_path: Path) -> None:
    put(tmp_path, {"captions.csv": 'image,caption\na.jpg,"Yes\nb.jpg,A cat\nc.jpg,it says "no"\nd.jpg,a 6"\n'})
    put(tmp_path, {}, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert captions(tmp_path)["b.jpg"] == ("A cat",) and len(captions(tmp_path)) == 4
    put(tmp_path, {"captions.csv": 'image,caption\na.jpg,"Yes\nb.jpg,A cat\nc.jpg,no"\n'})
    assert captions(tmp_path) == {"a.jpg": ("Yes",), "b.jpg": ("A cat",), "c.jpg": ('no"',)}


CELL = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=8)


@given(rows=st.lists(st.lists(CELL, min_size=1, max_size=3), max_size=6), delimiter=st.sampled_from(",;\t"))
def test_what_a_writer_of_csv_wrote_comes_back(rows: list[list[str]], delimiter: str) -> None:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(rows)
    wanted = [cells for cells in rows if any(cell.strip() for cell in cells)]
    assert [cells for _, cells in _parse(stream.getvalue(), delimiter)] == wanted


@pytest.mark.parametrize("line", ['a.jpg","A dog runs.\n', 'a.jpg,"A dog runs.\n', 'a.jpg,"A ""dog runs.\n'])
def test_a_file_of_open_quotes_alone_is_read_in_time(line: str) -> None:
    started = time.process_time()
    assert len(_parse(line * 20_000, ",")) == 20_000
    assert time.process_time() - started < 20  # reading all that follows anew for each row takes many minutes


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a.jpg,A dog runs.,A brown dog.,\nb.jpg,A cat sleeps.,One black cat.,It is night.\n", 2),
        ("a.jpg,0,A brown dog runs.\nb.jpg,1,A black cat.\n", 1),
        ("a.jpg,train,A brown dog runs.\nb.jpg,val,A black cat.\n", 1),
        ("a.jpg,A brown dog runs.,train\nb.jpg,A black cat.,val\n", 1),
        ("a.jpg,dog\nb.jpg,cat\n", 1),
    ],
)
def test_without_a_first_line_the_columns_of_words_are_captions(text: str, wanted: int, tmp_path: Path) -> None:
    put(tmp_path, {"captions.csv": text}, "a.jpg", "b.jpg")
    assert len(captions(tmp_path)["a.jpg"]) == wanted
    assert "dog" in captions(tmp_path)["a.jpg"][0] and DATA["csv"](root=tmp_path).left_out == ()


def test_without_a_first_line_commas_that_nobody_quoted_are_no_columns(tmp_path: Path) -> None:
    text = "a.jpg,A dog runs fast.\nb.jpg,A cat, which is black, sleeps here.\nc.jpg,One, two or three birds.\n"
    put(tmp_path, {"captions.csv": text}, "a.jpg", "b.jpg", "c.jpg")
    assert captions(tmp_path)["b.jpg"] == ("A cat, which is black, sleeps here.",)


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("""['A dog.', 'Two dogs.']""", ("A dog.", "Two dogs.")),
        ("""["It's a dog.", 'A "dog".']""", ("It's a dog.", 'A "dog".')),
        ("""['A dog.'\n 'Two dogs.']""", ("A dog.", "Two dogs.")),  # as numpy prints it
        ("""['A \\'dog\\'.']""", ("A 'dog'.",)),
        ("""['A \\d dog.']""", ("A \\d dog.",)),
        ("""['A dog]""", ("['A dog]",)),
        ("""['A dog.', 7]""", ("['A dog.', 7]",)),
        ("""['A dog.', ['no']]""", ("['A dog.', ['no']]",)),
        ("""['\\xZZ']""", ("['\\xZZ']",)),
        ("""[dog] runs""", ("[dog] runs",)),
    ],
)
def test_a_list_as_python_prints_it_is_several_captions(cell: str, wanted: tuple[str, ...], tmp_path: Path) -> None:
    with (tmp_path / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "captions"], ["a.jpg", cell]])
    put(tmp_path, {}, "a.jpg")
    assert captions(tmp_path) == {"a.jpg": wanted}


@pytest.mark.parametrize("empty", ["", "\n \n"])
def test_an_empty_file_is_a_split_without_captions_and_is_told(empty: str, tmp_path: Path) -> None:
    put(tmp_path, {"train.csv": "image,caption\na.jpg,A dog\n", "val.csv": empty}, "a.jpg")
    assert found(tmp_path) == {"a.jpg": ("train", ("A dog",))}
    assert DATA["auto"](root=tmp_path).form == "csv: train.csv, val.csv, val.csv is empty"
