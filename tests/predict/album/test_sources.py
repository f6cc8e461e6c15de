"""What a user names as an album: lists, tars and tables as others write them, and what is none of these."""

import io
import os
import tarfile

import pytest
from PIL import Image

from showtell.plumbing.errors import InputError, Unreadable
from showtell.predict.album import lists
from showtell.predict.album.items import fetches
from showtell.predict.album.sources import Source


def ids(source):
    return [item.image_id for item in source.photos()]


@pytest.fixture
def photos(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 6)).save(tmp_path / name)
    return tmp_path


def hole(path, content=b""):
    path.write_bytes(content)
    os.truncate(path, 2**29)
    return path


def tar_of(path, *names):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 3
            tar.addfile(entry, io.BytesIO(b"abc"))
    return path


def test_a_file_that_is_mostly_a_hole_is_refused_at_once(tmp_path):
    good = tar_of(tmp_path / "good.tar", "a.png").read_bytes()
    for name, content in (("list.txt", b""), ("x.tar", b""), ("y.tar", good), ("t.parquet", b"PAR1")):
        with pytest.raises(InputError, match=r"was never written"):
            Source([hole(tmp_path / name, content)])


def test_a_line_without_end_is_no_list(tmp_path, monkeypatch):
    monkeypatch.setattr(lists, "LONGEST", 20)
    (tmp_path / "list.txt").write_text("a.png\n" + "x" * 30)
    with pytest.raises(InputError, match=r"is no list: line 2 never ends"):
        Source([tmp_path / "list.txt"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_may_begin_with_the_mark_of_its_encoding(photos, encoding):
    (photos / "list.txt").write_text("a.png\r\n\r\nü/b.png\r\n", encoding, newline="")
    assert ids(Source([photos / "list.txt"])) == ["a.png", "ü/b.png"]


@pytest.mark.parametrize("content", [b"a.png\0b.png\0", "a.png\nb.png\n".encode("utf-16-le"), b"a.png\n\x7fELF\0\0"])
def test_null_characters_are_no_list(photos, content):
    (photos / "list.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"is no list: .*one path a line"):
        Source([photos / "list.txt"])


def test_a_list_of_nothing_that_exists_is_refused_unless_its_album_was_begun(photos):
    path = photos / "list.txt"
    path.write_text("https://example.com/x.jpg\na.png\n")
    Source([path]).check_some()
    path.write_text("x.png\ny.png\n")
    with pytest.raises(InputError, match=r"names nothing that exists; its first line is 'x.png'"):
        Source([path]).check_some()
    path.write_text("\n\n")
    with pytest.raises(InputError, match=r"is empty"):
        Source([path]).check_some()


def test_tars_and_tables_of_one_name_give_different_ids(tmp_path):
    shards = [tar_of(tmp_path / name, "x.png") for name in ("a/00.tar", "b/00.tar", "b/01.tar")]
    assert ids(Source(shards)) == ["a/00.tar/x.png", "b/00.tar/x.png", "b/01.tar/x.png"]
    assert ids(Source(shards[1:])) == ["00.tar/x.png", "01.tar/x.png"]  # as ever
    assert ids(Source(shards[:1])) == ["x.png"]
    pyarrow = pytest.importorskip("pyarrow")
    tables = [table_of(tmp_path / name, image=pyarrow.array([b"abc"])) for name in ("a/0.parquet", "b/0.parquet")]
    assert ids(Source(tables)) == ["a/0.parquet/0", "b/0.parquet/0"]


def table_of(path, **columns):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table(columns), path, row_group_size=2, compression="none", use_dictionary=False)
    return path


def contents(source):
    found = []
    for fetch in fetches([*source.photos()]):
        try:
            found.append(fetch())
        except Unreadable as error:
            found.append(error.reason)
    return found


def test_photos_are_found_in_columns_of_every_kind(tmp_path):
    pa = pytest.importorskip("pyarrow")
    photos = [b"abc", b"def"]
    for number, kind in enumerate([pa.array(photos).dictionary_encode(), pa.array(photos, pa.binary(3))]):
        assert contents(Source([table_of(tmp_path / f"{number}.parquet", image=kind)])) == photos
    listed = [[{"bytes": b"abc", "path": None}], [{"bytes": b"abc", "path": None}] * 2, [], None]
    found = contents(Source([table_of(tmp_path / "l.parquet", image=pa.array(listed))]))
    assert found == [b"abc", "2 photos in this row, where one belongs", *["no photo in this row"] * 2]
    if hasattr(pa, "binary_view"):
        assert contents(Source([table_of(tmp_path / "v.parquet", image=pa.array(photos, pa.binary_view()))])) == photos
    names = pa.array(["a.png", "b.png"]).dictionary_encode()
    source = Source([table_of(tmp_path / "n.parquet", file_name=names)])
    assert ids(source) == ["a.png", "b.png"] and contents(source) == [tmp_path / "a.png", tmp_path / "b.png"]
    table = table_of(tmp_path / "u.parquet", blob=pa.array(photos), uuid=pa.array(photos, pa.binary(3)))
    assert contents(Source([table])) == photos  # fixed bytes without a usual name are no photos


def test_of_two_columns_of_one_name_neither_is_meant(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    columns = [pa.array([b"abc"]), pa.array(["a"]), pa.array(["b"]), pa.array([b"def"]), pa.array([b"ghi"])]
    table = pa.Table.from_arrays(columns, names=["image", "id", "id", "photo", "photo"])
    parquet.write_table(table, tmp_path / "t.parquet")
    source = Source([tmp_path / "t.parquet"])
    assert ids(source) == ["t.parquet/0"] and contents(source) == [b"abc"]
    with pytest.raises(InputError, match="is the name of several columns"):
        Source([tmp_path / "t.parquet"], "photo")


def test_an_id_may_be_a_time_that_python_does_not_know(tmp_path):
    pa = pytest.importorskip("pyarrow")
    times = pa.array([1, 2000, 3], pa.timestamp("ns"))
    found = ids(Source([table_of(tmp_path / "t.parquet", image=pa.array([b"a"] * 3), id=times)]))
    assert len({*found}) == 3


def test_damage_to_a_table_costs_a_row_group_and_its_reason_is_true(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    path = table_of(tmp_path / "t.parquet", image=pa.array([b"a" * 9, b"b" * 9, b"c" * 9, b"d" * 9, b"e" * 9]))
    at = parquet.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + b"\xff" * 30 + whole[at + 30 :])
    source = Source([path])
    first, second, third, fourth, last = contents(source)
    assert (first, second, last) == (b"a" * 9, b"b" * 9, b"e" * 9)
    assert third == fourth and third.startswith("the table cannot be read")
    items = [*source.photos()]
    path.unlink()
    for fetch in fetches(items):
        with pytest.raises(Unreadable, match="the table cannot be read"):
            fetch()
    path = table_of(tmp_path / "i.parquet", image=pa.array([b"a" * 9]), id=pa.array(["x" * 40]))
    at = parquet.ParquetFile(path).metadata.row_group(0).column(1).data_page_offset
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + b"\xff" * 30 + whole[at + 30 :])
    with pytest.raises(InputError, match=r"i.parquet has a damaged column id") as error:
        ids(Source([path]))
    assert len(str(error.value).splitlines()) == 1
