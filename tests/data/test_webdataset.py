"""Tars that are hostile, damaged or cut, kills while one is unpacked, and keys that stand for more than one photo."""

import io
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from showtell.data import DATA, LeftOut, Records
from showtell.plumbing.errors import InputError
from tests.data.sets import SOUND, add, found, put, write


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOWTELL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def photo(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (2, 2), (shade, shade, shade)).save(stream, "PNG")
    return stream.getvalue()


def make(root: Path, *members: tuple[str, bytes]) -> Path:
    (root / "set").mkdir()
    with tarfile.open(root / "set/train-0.tar", "w") as tar:
        for name, content in members:
            add(tar, name, content)
    return root / "set/train-0.tar"


def three(root: Path) -> tuple[Path, list[int]]:
    """A tar of three photos with a caption each, and where its members begin."""
    members = [(("1.png", photo(1)), ("1.txt", b"A dog")), (("2.png", photo(2)), ("2.txt", b"A cat"))]
    path = make(root, *members[0], *members[1], ("3.png", photo(3)), ("3.txt", b"A cow"))
    with tarfile.open(path) as tar:
        return path, [member.offset for member in tar]


def read(path: Path) -> Records:
    records = DATA["webdataset"](root=path.parent, split="train")
    assert isinstance(records, Records)
    return records


DAMAGED = (LeftOut("train-0.tar", "damaged or truncated tar"),)


@pytest.mark.parametrize("more", [0, 200, 512 + 10])  # between two members, within a header, within a photo
def test_a_cut_anywhere_is_told(more: int, tmp_path: Path) -> None:
    path, offsets = three(tmp_path)
    path.write_bytes(path.read_bytes()[: offsets[4] + more])
    assert [r.references for r in read(path)] == [("A dog",), ("A cat",)]
    assert read(path).left_out == DAMAGED


@pytest.mark.parametrize("noise", [b"\x07" * 512, bytes(512)])
def test_a_header_written_over_is_told(noise: bytes, tmp_path: Path) -> None:
    path, offsets = three(tmp_path)
    content = bytearray(path.read_bytes())
    content[offsets[4] : offsets[4] + 512] = noise
    path.write_bytes(content)
    assert [r.references for r in read(path)] == [("A dog",), ("A cat",)]
    assert read(path).left_out == DAMAGED


@pytest.mark.parametrize("size", [2**16, 2**17, 3 * 2**20])
def test_a_long_run_of_zeros_before_more_is_told(size: int, tmp_path: Path) -> None:
    path, offsets = three(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: offsets[4]] + bytes(size) + content[offsets[4] :])
    assert [r.references for r in read(path)] == [("A dog",), ("A cat",)]
    assert read(path).left_out == DAMAGED


@pytest.mark.parametrize("blocks", [1, 2, 100, 2048, 5000])
def test_a_tar_may_end_with_any_number_of_empty_blocks(blocks: int, tmp_path: Path) -> None:
    path, offsets = three(tmp_path)
    path.write_bytes(path.read_bytes()[: offsets[-1] + 1024] + bytes(512 * blocks))
    assert len(read(path)) == 3 and read(path).left_out == ()


@pytest.mark.parametrize(
    "names",
    [("a.png", "a.png"), ("a.x.png", "a.y.png"), ("a.jpg", "a.png"), ("a.jpeg", "a.jpg"), ("a.x.png", "a.x.jpg")],
)
def test_a_key_of_different_photos_is_left_out_with_all_of_them(names: tuple[str, str], tmp_path: Path) -> None:
    members = [(names[0], photo(1)), ("a.txt", b"A dog"), (names[1], photo(2)), ("a.txt", b"A cat")]
    path = make(tmp_path, *members, ("b.png", photo(3)), ("b.txt", b"A cow"))
    assert [r.image_id for r in read(path)] == ["b"]
    assert read(path).left_out == (LeftOut("a", "one id for different photos"),)


def test_a_photo_that_a_tar_holds_twice_is_one_with_all_captions(tmp_path: Path) -> None:
    members = [("a.png", photo(1)), ("a.txt", b"A dog"), ("a.png", photo(1)), ("a.txt", b"A cat")]
    path = make(tmp_path, *members)
    assert [r.references for r in read(path)] == [("A dog", "A cat")] and read(path).left_out == ()


@pytest.mark.parametrize("names", [("a.0.png", "a.1.png"), ("a.jpg", "a.png"), ("a.x.png", "a.y.jpg")])
def test_of_a_samples_photos_that_are_as_good_the_first_is_taken(names: tuple[str, str], tmp_path: Path) -> None:
    path = make(tmp_path, (names[0], photo(1)), ("a.json", b'{"caption": "A dog"}'), (names[1], photo(2)))
    (record,) = read(path)
    assert (record.path.read_bytes(), record.references) == (photo(1), ("A dog",)) and read(path).left_out == ()
    assert len(list(record.path.parent.glob("*.[jp]*g"))) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_other_fields_of_a_sample_are_not_its_photo(order: int, tmp_path: Path) -> None:
    members = [("a.mask.png", photo(1)), ("a.png", photo(2)), ("a.thumb.png", photo(3))][::order]
    path = make(tmp_path, *members, ("a.txt", b"A dog"))
    (record,) = read(path)
    assert record.path.read_bytes() == photo(2) and read(path).left_out == ()


def text(caption: str) -> bytes:
    return caption.encode()


def captions(records: Records) -> dict[str, tuple[str, ...]]:
    return {r.image_id: r.references for r in records}


def shades(records: Records) -> dict[str, int]:
    """Which photo each id has, by the shade that `photo` painted it."""
    return {r.image_id: Image.open(r.path).getpixel((0, 0))[0] for r in records}


def test_photos_whose_names_have_dots_keep_their_own_captions(tmp_path: Path) -> None:
    names = [f"22.0{number}" for number in range(8)]
    photos = [(f"{name}.png", photo(shade)) for shade, name in enumerate(names)]
    records = read(make(tmp_path, *photos, *((f"{name}.txt", text(f"Photo {name}")) for name in names)))
    assert captions(records) == {name: (f"Photo {name}",) for name in names}
    assert shades(records) == {name: shade for shade, name in enumerate(names)} and records.left_out == ()
    assert len(list(records[0].path.parent.glob("*.png"))) == 8


@pytest.mark.parametrize("order", [1, -1])
def test_a_text_belongs_to_the_photo_of_its_whole_name(order: int, tmp_path: Path) -> None:
    members = [("a.png", photo(1)), ("a.b.png", photo(2)), ("a.txt", b"A dog"), ("a.b.txt", b"A cat")]
    records = read(make(tmp_path, *members[::order]))
    assert captions(records) == {"a": ("A dog",), "a.b": ("A cat",)} and shades(records) == {"a": 1, "a.b": 2}


def test_where_dots_belong_to_names_what_has_no_partner_is_named(tmp_path: Path) -> None:
    pair = [("a.b.png", photo(1)), ("a.txt", b"A dog"), ("a.b.txt", b"A cat"), ("1.png", photo(2)), ("1.txt", b"A cow")]
    lonely = [("1.5.txt", b"A pig"), ("2.7.png", photo(3)), ("2.txt", b"A hen")]
    records = read(make(tmp_path, *pair, *lonely))
    assert captions(records) == {"a.b": ("A cat",), "1": ("A cow",)}
    lost = {(each.name, each.reason) for each in records.left_out}
    texts = {(f"train-0.tar {name}", "caption without photo") for name in ("a", "1.5", "2")}
    assert lost == texts | {("2.7", "no caption")}


@pytest.mark.parametrize("name", ["7.caption.txt", "7.caption", "7.json", "7.text_2.txt", "7.en.txt"])
def test_fields_of_a_sample_with_a_plain_photo_are_its_captions(name: str, tmp_path: Path) -> None:
    content = b'{"caption": "A cat"}' if name.endswith("json") else b"A cat"
    members = [("7.txt", b"A dog"), (name, content), ("7.seg.png", photo(1)), ("7.png", photo(2))]
    records = read(make(tmp_path, *members, ("7.seg.json", b'{"classes": [1]}')))
    assert captions(records) == {"7": ("A dog", "A cat")} and shades(records) == {"7": 2} and records.left_out == ()


def test_a_word_for_captions_may_follow_a_name_with_dots(tmp_path: Path) -> None:
    members = [(f"22.0{n}.png", photo(n)) for n in (1, 2)] + [
        (f"22.0{n}.caption.txt", text(f"Dog {n}")) for n in (1, 2)
    ]
    records = read(make(tmp_path, *members))
    assert captions(records) == {"22.01": ("Dog 1",), "22.02": ("Dog 2",)} and records.left_out == ()


def test_a_caption_whose_own_photo_may_be_missing_goes_to_no_other(tmp_path: Path) -> None:
    path = make(tmp_path, ("22.00.png", photo(1)), ("22.01.txt", b"A cat"), ("b.png", photo(2)), ("b.txt", b"A dog"))
    records = read(path)
    assert captions(records) == {"b": ("A dog",)}
    assert {each.name for each in records.left_out} == {"train-0.tar 22.01", "22"}


def test_one_photo_of_a_sample_takes_the_captions_of_its_key(tmp_path: Path) -> None:
    records = read(make(tmp_path, ("a.image.png", photo(1)), ("a.txt", b"A dog"), ("a.caption.txt", b"A cat")))
    assert captions(records) == {"a": ("A dog", "A cat")}


def test_names_in_folders_of_a_tar_are_told_apart(tmp_path: Path) -> None:
    members = [(f"d{n}/22.00{end}", made) for n in (1, 2) for end, made in ((".png", photo(n)), (".txt", text(f"{n}")))]
    records = read(make(tmp_path, *members))
    assert captions(records) == {"d1/22.00": ("1",), "d2/22.00": ("2",)} and shades(records) == {
        "d1/22.00": 1,
        "d2/22.00": 2,
    }


def test_a_photos_own_file_is_called_by_no_key(tmp_path: Path) -> None:
    """Features of regions go by file names too: those of `00000000` are not those of the first photo."""
    (record,) = read(make(tmp_path, ("a.png", photo(1)), ("a.txt", b"A dog")))
    assert not record.path.stem.isdigit()


def test_hidden_files_are_no_samples(tmp_path: Path) -> None:
    hidden = [("._22.00.png", b"Mac OS X"), ("._22.00.txt", b"Mac OS X"), ("__MACOSX/._22.00.txt", b"Mac OS X")]
    records = read(make(tmp_path, ("22.00.png", photo(1)), ("22.00.txt", b"A dog"), *hidden))
    assert captions(records) == {"22.00": ("A dog",)} and records.left_out == ()


def test_dotted_keys_that_two_tars_share_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for number in (1, 2):
        with tarfile.open(tmp_path / f"set/train-{number}.tar", "w") as tar:
            add(tar, "22.00.png", photo(number))
            add(tar, "22.00.txt", text(f"Photo {number}"))
    assert found(tmp_path / "set") == {
        "train-1/22.00": ("train", ("Photo 1",)),
        "train-2/22.00": ("train", ("Photo 2",)),
    }


def test_a_hostile_tar_writes_nothing_outside_and_follows_no_link(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "set").mkdir()
    with tarfile.open(tmp_path / "set/train-0.tar", "w") as tar:
        for name in ("../../evil", "/evil", "good", "x/../y"):
            add(tar, f"{name}.jpg", photo(0))
            add(tar, f"{name}.txt", b"A dog")
        for name, kind in (
            ("link.jpg", tarfile.SYMTYPE),
            ("hard.jpg", tarfile.LNKTYPE),
            ("pipe.jpg", tarfile.FIFOTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, str(tmp_path / "secret.jpg")
            tar.addfile(member)
    records = DATA["webdataset"](root=tmp_path / "set")
    assert {r.image_id for r in records} == {"../../evil", "/evil", "good", "x/../y"}
    assert all(r.path.parent.parent == cache and r.path.read_bytes() == photo(0) for r in records)
    assert [each.reason for each in records.left_out] == ["link or device in a tar"] * 3
    assert {path.name for path in tmp_path.iterdir()} == {"secret.jpg", "set", "cache"}


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_kill_while_unpacking_leaves_nothing_that_counts(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write("webdataset", tmp_path / "set", SOUND)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["showtell.data.webdataset"], "_captions", killed)
        with pytest.raises(KeyboardInterrupt):
            DATA["webdataset"](root=root)
    assert list(cache.iterdir()) == []
    half = cache / ".webdataset-half"
    half.mkdir()  # what a kill that nothing can catch leaves
    assert len(DATA["webdataset"](root=root)) == 4
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.jpg")}
    assert len(DATA["webdataset"](root=root)) == 4
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.jpg")} == before


def test_a_truncated_tar_gives_what_came_before(tmp_path: Path, cache: Path) -> None:
    root = write("webdataset", tmp_path / "set", SOUND)
    tar = root / "train-000000.tar"
    tar.write_bytes(tar.read_bytes()[: 512 * 3 + 700])
    records = DATA["webdataset"](root=root)
    assert LeftOut("train-000000.tar", "damaged or truncated tar") in records.left_out
    assert {record.split for record in records} >= {"val", "test"}


def test_tars_of_which_nothing_can_be_used_are_called_by_their_own_folder(tmp_path: Path, cache: Path) -> None:
    put(tmp_path / "set", {"train-0.tar": "no tar"})
    with pytest.raises(InputError, match=rf"^{tmp_path}/set: it has no usable rows, read as webdataset: 1 tar, "):
        DATA["webdataset"](root=tmp_path / "set")


def test_a_relative_cache_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOWTELL_CACHE", "cache")
    assert len(DATA["webdataset"](root=write("webdataset", tmp_path / "set", SOUND))) == 4


def test_keys_that_two_tars_share_are_told_apart(tmp_path: Path, cache: Path) -> None:
    for shard in ("train-0", "train-1"):
        (tmp_path / "set").mkdir(exist_ok=True)
        with tarfile.open(tmp_path / f"set/{shard}.tar", "w") as tar:
            add(tar, "0.jpg", photo(0))
            add(tar, "0.txt", shard.encode())
    assert found(tmp_path / "set") == {
        "train-0/0": ("train", ("train-0",)),
        "train-1/0": ("train", ("train-1",)),
    }
