import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import save_file

from showtell.cache import Source, default_folder, encode, fill, open_source
from showtell.cache.store import Store
from showtell.data.record import Record
from showtell.encoders import ConvNet, Encoder, Lite
from showtell.encoders.joined import Joined
from showtell.features import each
from showtell.plumbing.errors import InputError
from showtell.regions import REGIONS

FILL = """
import sys
from pathlib import Path
from showtell.cache import open_source
from showtell.data.record import Record
from showtell.encoders import Lite
photos, folder, image_size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
records = [Record(path.name, path, (), "train") for path in sorted(photos.iterdir())]
source = open_source(records, Lite(image_size=image_size), folder=folder)
print(float(source(range(len(source))).tokens.double().sum()))
"""


def draw(folder: Path, count: int, first: int = 0) -> list[Record]:
    folder.mkdir(exist_ok=True)
    records = []
    for number in range(first, first + count):
        noise = torch.randint(0, 256, (6, 5, 3), generator=torch.Generator().manual_seed(number), dtype=torch.uint8)
        path = folder / f"{number:03d}.png"
        Image.fromarray(noise.numpy()).resize((50, 60)).save(path)
        records.append(Record(path.name, path, (), "train"))
    return records


def opened(records: list[Record]) -> list[Image.Image]:
    return [Image.open(record.path).convert("RGB") for record in records]


def lite() -> Lite:
    return Lite(image_size=64)


def source(records: list[Record], encoder: Encoder, folder: Path) -> Source:
    return open_source(records, encoder, folder=folder, progress=False)


def lines(folder: Path) -> int:
    return sum(path.read_text().count("\n") for path in folder.glob("*/contents.txt"))


def test_cached_and_live_features_agree(tmp_path: Path) -> None:
    records = draw(tmp_path / "photos", 7)
    encoder = Lite(image_size=96, resize="crop", grid_size=2)
    cached = source(records, encoder, tmp_path / "c")
    assert len(cached) == 7 and cached.records == records
    some = [5, 0, 5, 6]
    live = encode(encoder, opened([records[i] for i in some]))
    for got, expected in zip(cached(some), live, strict=True):
        assert got.dtype == expected.dtype
        torch.testing.assert_close(got, expected, rtol=2e-3, atol=2e-3)
    assert live.tokens.shape == (4, 4, 1280)


def test_an_encoder_that_trains_gets_its_pixels_and_gradients(tmp_path: Path) -> None:
    records = draw(tmp_path / "photos", 3)
    encoder = ConvNet(image_size=16, grid_size=2, width=3, dim=5)
    cached = source(records, encoder, tmp_path / "c")
    features = cached([2, 0])
    features.pooled.sum().backward()
    assert features.tokens.shape == (2, 4, 5) and next(encoder.parameters()).grad is not None
    live = encode(encoder, opened([records[2], records[0]]))
    torch.testing.assert_close(live.tokens, cached([2, 0]).tokens)  # encode has put it into eval mode
    assert not live.tokens.requires_grad


@pytest.mark.slow
def test_nothing_is_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = draw(tmp_path / "photos", 5)
    source(records[:3], lite(), tmp_path / "c")
    read = []
    monkeypatch.setattr(fill, "open_image", lambda path, at_least: read.append(path.name) or Image.open(path))
    source(records, lite(), tmp_path / "c")
    assert sorted(read) == ["003.png", "004.png"]
    source(records[::-1], lite(), tmp_path / "c")
    assert len(read) == 2
    source(records, Lite(image_size=64, resize="crop"), tmp_path / "c")
    assert len(read) == 7, "another transform is another cache"


def test_photos_with_the_same_content_share_a_row(tmp_path: Path) -> None:
    records = draw(tmp_path / "photos", 2)
    copy = tmp_path / "photos" / "copy.png"
    shutil.copy(records[0].path, copy)
    cached = source([*records, Record("copy.png", copy, (), "test")], lite(), tmp_path / "c")
    assert lines(tmp_path / "c") == 2
    features = cached([0, 2, 1]).pooled
    assert torch.equal(features[0], features[1]) and not torch.equal(features[0], features[2])


@pytest.mark.slow
def test_a_changed_photo_is_never_stale(tmp_path: Path) -> None:
    records = draw(tmp_path / "photos", 2)
    before = source(records, lite(), tmp_path / "c")([0, 1]).pooled
    Image.open(records[1].path).transpose(Image.Transpose.ROTATE_180).save(records[0].path)
    after = source(records, lite(), tmp_path / "c")([0, 1]).pooled
    assert not torch.equal(before[0], after[0]) and torch.equal(before[1], after[1])
    torch.testing.assert_close(after[:1], encode(lite(), opened(records[:1])).pooled, rtol=2e-3, atol=2e-3)


def test_changed_weights_are_never_stale(tmp_path: Path) -> None:
    records, encoder = draw(tmp_path / "photos", 2), lite()
    before = source(records, encoder, tmp_path / "c")([0]).pooled
    with torch.no_grad():
        next(encoder.parameters()).mul_(0.5)
    assert not torch.equal(before, source(records, encoder, tmp_path / "c")([0]).pooled)


@pytest.mark.slow
def test_unreadable_photos_are_left_out_with_a_count_and_a_list(tmp_path: Path) -> None:
    records = draw(tmp_path / "photos", 6)
    records[1].path.write_bytes(records[1].path.read_bytes()[:200])
    records[4].path.unlink()
    (tmp_path / "photos" / "005.png").write_bytes(b"text")
    said = Console(file=io.StringIO())
    found = open_source(records, lite(), folder=tmp_path / "c", console=said)
    reasons = ["truncated", "no such file", "not an image (jpeg, png, webp, bmp, gif, tiff, avif, heif can be read)"]
    assert found.left_out == tuple(zip((records[i].image_id for i in (1, 4, 5)), reasons, strict=True))
    assert "3 of 6 photos cannot be read: 1 truncated (first: " in said.file.getvalue()
    assert found.records == [records[i] for i in (0, 2, 3)] and lines(tmp_path / "c") == 3
    torch.testing.assert_close(found([1]).pooled, source([records[2]], lite(), tmp_path / "c")([0]).pooled)


def test_only_unreadable_photos_are_an_error(tmp_path: Path) -> None:
    records = draw(tmp_path / "photos", 1)
    records[0].path.write_bytes(b"text")
    with pytest.raises(InputError, match=r"^1 of 1 photo cannot be read: 1 not an image .*; repair or remove them$"):
        source(records, lite(), tmp_path / "c")


def test_a_disk_that_is_too_small_is_noticed_before_it_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, free = draw(tmp_path / "photos", 4), namedtuple("free", "free")(40_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    with pytest.raises(InputError) as caught:
        source(records, lite(), tmp_path / "c")
    folder = next((tmp_path / "c").glob("features-*"))
    assert str(caught.value).startswith(f"4 photos need 0.1 MB in {folder}, but only 0.0 MB are free; ")
    assert "SHOWTELL_CACHE=DIR" in str(caught.value)
    assert lines(tmp_path / "c") == 0


@pytest.mark.slow
def test_a_disk_that_fills_up_keeps_what_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showtell.cache.fill.FLUSH_SECONDS", 1e9)  # a slow machine flushes oftener
    records, before = draw(tmp_path / "photos", 100), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, before[1]))  # of 1 MB that the tokens need
    try:
        with pytest.raises(InputError) as caught:
            source(records, lite(), tmp_path / "c")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    folder = next((tmp_path / "c").glob("features-*"))
    assert str(caught.value).startswith(f"{folder} is on a disk that is full after 64 photos, ")
    assert "SHOWTELL_CACHE=DIR" in str(caught.value)
    cached = source(records, lite(), tmp_path / "c")
    live = encode(lite(), opened(records[60:70])).tokens
    torch.testing.assert_close(cached(range(60, 70)).tokens, live, rtol=2e-3, atol=2e-3)


def test_a_folder_that_cannot_be_written_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError, match=r"file/c/features-.* cannot be written \(Not a directory\); set SHOWTELL_CACHE"
    ):
        source(draw(tmp_path / "photos", 1), lite(), tmp_path / "file" / "c")


@pytest.mark.slow
def test_after_a_kill_the_good_part_is_kept_and_the_rest_made(tmp_path: Path) -> None:
    records = draw(tmp_path / "photos", 200)
    job = [sys.executable, "-c", FILL, str(tmp_path / "photos"), str(tmp_path / "c"), "128"]
    process = subprocess.Popen(job, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    while lines(tmp_path / "c") < 64 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    encoder = Lite(image_size=128)
    store = Store(next((tmp_path / "c").glob("features-*")))
    assert 64 <= len(store.rows) < 200
    cached = source(records, encoder, tmp_path / "c")
    assert lines(tmp_path / "c") == 200
    places = [0, 63, 64, len(store.rows), 199]
    live = encode(encoder, opened([records[i] for i in places]))
    torch.testing.assert_close(cached(places).tokens, live.tokens, rtol=2e-3, atol=4e-3)


@pytest.mark.slow
def test_two_processes_share_the_work_of_one(tmp_path: Path) -> None:
    draw(tmp_path / "photos", 80)
    job = [sys.executable, "-c", FILL, str(tmp_path / "photos"), str(tmp_path / "c"), "96"]
    both = [subprocess.Popen(job, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    (first, errors), (second, more_errors) = (process.communicate() for process in both)
    assert [process.returncode for process in both] == [0, 0], errors + more_errors
    assert first == second and lines(tmp_path / "c") == 80


def test_it_says_how_much_it_will_make_and_where(tmp_path: Path) -> None:
    said = Console(file=io.StringIO(), width=40)
    records = draw(tmp_path / "photos", 3)
    for _ in range(2):
        open_source(records, lite(), folder=tmp_path / "c", console=said)
    folder = next((tmp_path / "c").glob("features-*"))
    assert said.file.getvalue() == f"3 photos to encode, once: 0.0 MB in {folder}\n"  # type: ignore[attr-defined]


def test_the_folder_is_the_users_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOWTELL_CACHE", str(tmp_path / "mine"))
    cached = open_source(draw(tmp_path / "photos", 1), lite(), progress=False)
    assert default_folder() == tmp_path / "mine" and cached.folders[0].parent == tmp_path / "mine"
    monkeypatch.delenv("SHOWTELL_CACHE")
    assert default_folder() == Path.home() / ".cache" / "showtell"


@pytest.mark.slow
@pytest.mark.parametrize("name", ['it\'s "so".png', "two\nlines.png", "照片.png", "\udcff\udcfe.png"])
def test_photos_of_any_name_are_cached_and_remembered(tmp_path: Path, name: str) -> None:
    (record,) = draw(tmp_path / "photos", 1)
    try:
        record.path.rename(record.path.with_name(name))
    except OSError:
        pytest.skip("a name that this file system does not take")
    record = Record(name, record.path.with_name(name), (), "train")
    bad = Record(f"no {name}", tmp_path / "photos" / f"no {name}", (), "train")
    for _ in range(2):
        said = Console(file=io.StringIO())
        found = open_source([record, bad], lite(), folder=tmp_path / "c", console=said)
        assert found.records == [record] and found.left_out == ((bad.image_id, "no such file"),)
        last = said.file.getvalue().splitlines()[-1]  # type: ignore[attr-defined]
        assert last.startswith("1 of 2 photos cannot be read: 1 no such file (first: no ") and last.encode()
    assert lines(tmp_path / "c") == 1


@pytest.mark.slow
def test_what_several_encoders_see_is_known_by_the_content_of_all(tmp_path: Path) -> None:
    """The second one's features change, and the first one's photos do not."""
    records, contents = draw(tmp_path / "photos", 2), []
    for value in (1.0, 2.0):
        save_file({record.image_id: torch.full((3, 4), value) for record in records}, tmp_path / "f.safetensors")
        given = REGIONS["precomputed"](file=str(tmp_path / "f.safetensors"))
        contents.append(source(records, Joined([lite(), given]), tmp_path / "c").content)
    assert contents[0] != contents[1]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "cut by a byte": lambda content: content[:-1],
    "begun later": lambda content: content[1:],
    "zeros": lambda content: bytes(len(content)),
    "zeros at the end": lambda content: content[: len(content) // 2] + bytes(len(content) - len(content) // 2),
    "a bit": lambda content: flipped(content, 3),
    "a bit in the middle": lambda content: flipped(content, len(content) // 2),
    "a bit at the end": lambda content: flipped(content, len(content) - 2),
    "halves that changed places": lambda content: content[len(content) // 2 :] + content[: len(content) // 2],
    "something behind": lambda content: content + content,
    "text": lambda content: b"no features at all\n" * 40,
}


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_damaged_cache_gives_the_same_features_or_a_way_out(tmp_path: Path, damage: str) -> None:
    records, encoder = draw(tmp_path / "photos", 5), lite()
    wanted = source(records, encoder, tmp_path / "c")(range(5))
    for file in sorted((tmp_path / "c").rglob("*")):
        if file.is_dir() or file.name == "lock":
            continue
        folder = shutil.copytree(tmp_path / "c", tmp_path / "damaged")
        path = folder / file.relative_to(tmp_path / "c")
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        try:
            found = source(records, encoder, folder)(range(5))
        except InputError as error:
            assert "damaged; delete this folder" in str(error)
            shutil.rmtree(next(folder.glob("features-*")))
            found = source(records, encoder, folder)(range(5))
        for ours, theirs in zip(each(found)[0], each(wanted)[0], strict=True):
            assert torch.equal(ours, theirs), file
        shutil.rmtree(folder)
