"""Tables with a delimiter: where a row ends, and which columns and cells hold captions."""

import csv
import io
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showtell.data import DATA
from showtell.data.quotes import read_rows
from showtell.plumbing.errors import InputError
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


@pytest.mark.parametrize("names", ["a.jpg b.jpg c.jpg", "my dog 1.jpg|my cat.PNG|a.b c.jpg", "a.jpg#0 a.jpg#1 b.jpg#0"])
@pytest.mark.parametrize(
    "row",
    [
        '{n},{name},"Yes{end}',
        '{name},"Yes{end}',
        '"{name}","Yes{end}',
        '{n},{name},"Yes, so{end}',
        '{name},"It\nis{end}',
    ],
)
@pytest.mark.parametrize("closing", ['no"', 'it says "no"', 'it says "no, never"', '"A cow"'])
def test_a_quote_that_swallowed_rows_is_seen_wherever_the_photo_stands(row: str, names: str, closing: str) -> None:
    first, second, third = names.split("|") if "|" in names else names.split()
    later = row.replace('"Yes, so', "A cat, so").replace('"Yes', "A cat").replace('"It\nis', "A cat").format
    text = row.format(n=0, name=first, end="\n") + later(n=1, name=second, end="\n")
    text += later(n=2, name=third, end="").partition("A cat")[0] + closing + "\n"
    photo = int("{n}" in row)
    read = [cells[photo] for _, cells in read_rows(text, ",") if len(cells) > photo + 1]
    assert read == [first, second, third]


def test_names_without_an_ending_are_rows_where_a_quote_is_out_of_order() -> None:
    text = 'image_id,caption\n1,"Yes\n2,A cat\n3,it says "no"\n4,"A sign.\nIt is red, and says "stop" there."\n'
    assert [cells[0] for _, cells in read_rows(text, ",")] == ["image_id", "1", "2", "3", "4"]


def test_captions_before_their_photos_are_cut_by_the_same_signs() -> None:
    text = 'caption,image\n"A dog.\nIt is "very" brown.",a.jpg\n"A cat.\nIt sleeps.",b.jpg\n'
    assert [cells[1] for _, cells in read_rows(text, ",")] == ["image", "a.jpg", "b.jpg"]
    opened = 'caption,image\n"A dog,a.jpg\nA cat,b.jpg\nA "cow",c.jpg\n'
    assert [cells[-1] for _, cells in read_rows(opened, ",")] == ["image", "A dog,a.jpg\n", "b.jpg", "c.jpg"]


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ('"A dog.\nIt is brown." ', "A dog. It is brown."),
        ('"A sign.\nIt says "stop" in red."', 'A sign. It says stop" in red."'),
        ('"A sign.\nIt says "photo.jpg", in red."', 'A sign. It says photo.jpg", in red."'),
        ('"Some files:\nb.jpg,A cat\nand no more."', "Some files: b.jpg,A cat and no more."),
    ],
)
def test_a_stray_quote_or_blank_costs_a_caption_no_line(cell: str, wanted: str, tmp_path: Path) -> None:
    put(tmp_path, {"captions.csv": f"image,caption\na.jpg,{cell}\nb.jpg,A cow\n"}, "a.jpg", "b.jpg")
    assert captions(tmp_path) == {"a.jpg": (wanted,), "b.jpg": ("A cow",)}
    assert DATA["csv"](root=tmp_path).left_out == ()


@pytest.mark.parametrize("rows", [3, 19, 20, 21, 50])
def test_a_cell_whose_quote_closed_an_open_one_keeps_its_lines(rows: int) -> None:
    swallowed = "".join(f"{n}.jpg,A cat\n" for n in range(rows))
    text = f'image,caption\na.jpg,"Yes\n{swallowed}b.jpg,"A bird.\nIt flies."\nc.jpg,A cow\n'
    lines = read_rows(text, ",")
    assert len(lines) == rows + 4 and lines[-2] == (rows + 4, ["b.jpg", "A bird.\nIt flies."])


CELL = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=8)


@pytest.mark.slow
@given(rows=st.lists(st.lists(CELL, min_size=1, max_size=3), max_size=6), delimiter=st.sampled_from(",;\t"))
def test_what_a_writer_of_csv_wrote_comes_back(rows: list[list[str]], delimiter: str) -> None:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(rows)
    wanted = [cells for cells in rows if any(cell.strip() for cell in cells)]
    assert [cells for _, cells in read_rows(stream.getvalue(), delimiter)] == wanted


@pytest.mark.slow
@pytest.mark.parametrize("line", ['a.jpg","A dog runs.\n', 'a.jpg,"A dog runs.\n', 'a.jpg,"A ""dog runs.\n'])
def test_a_file_of_open_quotes_alone_is_read_in_time(line: str) -> None:
    started = time.process_time()
    assert len(read_rows(line * 20_000, ",")) == 20_000
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


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ("New York City Park,一只棕色的狗在草地上奔跑", ("New York City Park", "一只棕色的狗在草地上奔跑")),
        ('"taken on Monday, May 1",dog', ("taken on Monday, May 1", "dog")),
        ("A brown dog runs.,train", ("A brown dog runs.",)),
        ("A brown dog runs.,0.75", ("A brown dog runs.",)),
        ("dog,validation", ("dog",)),
        ("7", ("7",)),
    ],
)
def test_without_a_first_line_the_last_column_is_a_caption_unless_it_says_split_or_number(
    row: str, wanted: tuple[str, ...], tmp_path: Path
) -> None:
    put(tmp_path, {"captions.csv": f"a.jpg,{row}\nb.jpg,{row}\n"}, "a.jpg", "b.jpg")
    assert captions(tmp_path) == {"a.jpg": wanted, "b.jpg": wanted}


def test_without_a_first_line_commas_that_nobody_quoted_are_no_columns(tmp_path: Path) -> None:
    text = "a.jpg,A dog runs fast.\nb.jpg,A cat, which is black, sleeps here.\nc.jpg,One, two or three birds.\n"
    put(tmp_path, {"captions.csv": text}, "a.jpg", "b.jpg", "c.jpg")
    assert captions(tmp_path)["b.jpg"] == ("A cat, which is black, sleeps here.",)


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("""['A dog.', 'Two dogs.']""", ("A dog.", "Two dogs.")),
        ("""["It's a dog.", 'A "dog".']""", ("It's a dog.", 'A "dog".')),
        ("""[ 'A dog.', 'Two dogs.']""", ("A dog.", "Two dogs.")),
        ("""[\n"A dog.", "Two dogs."]""", ("A dog.", "Two dogs.")),
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


@pytest.mark.parametrize("name", ["captions.csv", "captions.txt", "metadata.csv"])
@pytest.mark.parametrize("empty", ["", "\n \n"])
def test_an_empty_file_that_is_the_only_one_is_told_with_what_it_takes(name: str, empty: str, tmp_path: Path) -> None:
    put(tmp_path, {name: empty}, "a.jpg")
    with pytest.raises(InputError, match=rf"^{name}: the file is empty; .*`image.jpg,A dog"):
        DATA["auto"](root=tmp_path)


def test_of_an_imagefolders_tables_one_may_be_empty(tmp_path: Path) -> None:
    files = {"train/metadata.csv": "file_name,text\na.jpg,A dog\n", "test/metadata.csv": ""}
    put(tmp_path, files, "train/a.jpg")
    assert found(tmp_path) == {"train/a.jpg": ("train", ("A dog",))}
