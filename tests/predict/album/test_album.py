"""Albums: whatever stops a run, and whoever makes its parts, the folder ends with the same rows."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.plumbing.errors import InputError, Interrupted
from showtell.plumbing.lock import Lock
from showtell.predict.album import plan as plans
from showtell.predict.album.look import least_sure, rows
from showtell.predict.album.on_ray import Maker, _line
from showtell.predict.album.pipeline import captioned
from showtell.predict.album.plan import Plan
from showtell.predict.album.run import Asked, caption_album
from showtell.predict.album.shards import Shard, read_shard
from showtell.predict.album.sources import Source
from showtell.predict.album.wording import Wording
from showtell.predict.album.work import Work


class Shades(Captioner):
    """A foreign captioner: it says how bright a photo is. The brighter, the surer."""

    name, at_once = "shades", 3

    def __init__(self):
        self.seen = 0

    def caption(self, images, **decode):
        self.seen += len(images)
        shades = [image.convert("L").getpixel((0, 0)) for image in images]
        return [Caption(f"a photo of shade {shade}", [5, 6], (shade - 255) / 100) for shade in shades]

    def save_pretrained(self, folder, *, half=False):
        raise NotImplementedError

    @property
    def fingerprint(self):
        return "shades"


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(plans, "PHOTOS", 5)
    monkeypatch.setattr(Plan.extend, "__defaults__", (5,))


@pytest.fixture
def album(tmp_path):
    """Twelve photos in two folders, one of them cut short: three parts."""
    folder = tmp_path / "album"
    for number in range(12):
        path = folder / ("trip" if number > 8 else "") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), (number * 20,) * 3).save(path)
    bad = folder / "04.png"
    bad.write_bytes(bad.read_bytes()[:40])
    return folder


def make(paths, out, captioner=None, **asked):
    column = asked.pop("column", None)
    said = io.StringIO()
    source = Source([paths] if isinstance(paths, Path) else paths, column)
    asked = Asked(out, **asked)
    asked.check(source)
    report = caption_album(captioner or Shades(), "shades", source, asked, Console(file=said, width=200))
    return report, said.getvalue()


def written(out):
    return {path.name: path.read_bytes() for path in sorted(out.glob("part-*"))}


def captions(out):
    return {item.image_id: row["caption"] for item, row in rows(out)}


@pytest.fixture
def whole(album, tmp_path):
    make(album, tmp_path / "whole")
    return written(tmp_path / "whole")


def test_a_photo_that_cannot_be_read_is_a_row_with_its_reason(album, tmp_path, whole):
    assert [*whole] == ["part-00000.jsonl", "part-00001.jsonl", "part-00002.jsonl"]
    first, *_, bad = map(json.loads, whole["part-00000.jsonl"].splitlines())
    assert first["caption"] == "a photo of shade 0" and first["mean_log_prob"] == first["log_prob"] / 2
    assert bad["image_id"] == "04.png" and bad["error"] and bad["caption"] is None
    report, _ = make(album, tmp_path / "whole")
    assert (report.photos, report.before, report.failures) == (12, 12, 1) and [*report.failed] == ["04.png"]


def test_a_run_goes_on_after_every_batch(album, tmp_path, whole, monkeypatch):
    """Stopped after each batch in turn; no photo is captioned twice."""
    captioner, out = Shades(), tmp_path / "stopped"

    def stop_at_once(live, step):
        raise Interrupted("stopped")

    for _ in range(30):
        with monkeypatch.context() as patch:
            patch.setattr("showtell.predict.album.live.Live.add", stop_at_once)
            try:
                make(album, out, captioner)
                break
            except Interrupted:
                pass
    assert written(out) == whole
    (out / "part-00001.jsonl").unlink()
    lines = whole["part-00001.jsonl"]
    (out / "part-00001.partial").write_bytes(lines[: len(lines) // 2])  # a kill in the middle of a line
    make(album, out)
    assert written(out) == whole


def test_shards_make_each_part_once_and_the_same(album, tmp_path, whole):
    out = tmp_path / "shards"
    reports = [make(album, out, shard=Shard(number, 3))[0] for number in range(3)]
    assert sum(report.photos for report in reports) == 12 and all(report.photos == 4 for report in reports)
    assert b"".join(written(out).values()) == b"".join(whole.values())
    assert make(album, out)[0].before == 12  # another division sees that all is done


@pytest.mark.parametrize("text", ["3/3", "x", "1", "-1/3", "0/0"])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="--shard"):
        read_shard(text)


def test_two_runs_into_one_folder_are_refused(album, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with Lock(out) as lock:
        lock.take()
        for shard in (None, Shard(0, 2)):
            with pytest.raises(InputError, match="is in use"):
                make(album, out, shard=shard)
    with Lock(out, shared=True) as folder, Lock(out, Shard(0, 2).lock) as shard:
        folder.take()
        shard.take()
        for other in (None, Shard(0, 2)):
            with pytest.raises(InputError, match="is in use"):
                make(album, out, shard=other)
        make(album, out, shard=Shard(1, 2))
    assert make(album, out)[0].before < 12


def test_other_settings_are_refused_until_the_folder_begins_anew(album, tmp_path):
    out = tmp_path / "out"
    make(album, out)
    other = Shades()
    other.__class__ = type("Other", (Shades,), {"fingerprint": "other", "manner": "beam(num_beams=9)"})
    with pytest.raises(InputError, match="another decoding: shades, now beam"):
        make(album, out, other)
    with pytest.raises(InputError, match="--append"):
        make(album, out, wording=Wording(after="!"))
    (out / "mine.txt").write_text("stays")
    make(album, out, other, overwrite=True)
    assert (out / "mine.txt").exists() and other.seen == 11
    with pytest.raises(InputError, match="holds something else"):
        make(album, album)
    with pytest.raises(InputError, match="--overwrite"):
        make(album, out, overwrite=True, shard=Shard(0, 2))


def test_an_album_that_changes_keeps_its_rows_and_gets_new_ones(album, tmp_path, whole):
    out = tmp_path / "whole"
    (album / "00.png").unlink()
    Image.new("RGB", (8, 6), "white").save(album / "03b.png")
    report, said = make(album, out)
    assert "1 photo came to the album" in said and report.photos == 13
    assert {**written(out), **whole} == written(out)  # what was there is untouched
    assert captions(out)["03b.png"] == "a photo of shade 255"
    planned = tmp_path / "planned"  # a photo that goes between the plan and its turn
    Plan(planned.parent)
    make(album, planned, shard=Shard(1, 2))
    (album / "01.png").unlink()
    assert make(album, planned)[0].failed["01.png"] == "no such file"


def test_sidecars_never_replace_a_persons_text(album, tmp_path):
    (album / "01.txt").write_text("my dog")
    make(album, tmp_path / "out")
    report, _ = make(album, tmp_path / "out", sidecars=True)  # also of parts that were done before
    assert (report.kept, report.first_kept) == (1, "01.png") and (album / "01.txt").read_text() == "my dog"
    assert (album / "trip/10.txt").read_text() == "a photo of shade 200\n"
    assert not (album / "04.txt").exists()
    report, _ = make(album, tmp_path / "out", sidecars=True, overwrite=True, wording=Wording("see: ", "", 22))
    assert report.kept == 0 and (album / "01.txt").read_text() == "see: a photo of shade\n"


def test_a_list_tars_and_tables_give_the_same_captions(album, tmp_path, whole):
    pytest.importorskip("pyarrow")
    import pyarrow
    import pyarrow.parquet as parquet

    expected = captions(tmp_path / "whole")
    (tmp_path / "list.txt").write_text("".join(f"album/{name}\n" for name in expected))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in expected:
            tar.add(album / name, name)
            tar.addfile(tarfile.TarInfo(name.replace(".png", ".json")), io.BytesIO())
    photos = [{"bytes": (album / name).read_bytes(), "path": name} for name in expected]
    parquet.write_table(pyarrow.table({"n": [*range(12)], "image": photos}), tmp_path / "b.parquet", row_group_size=7)
    names = pyarrow.table({"file_name": [f"album/{name}" for name in expected], "seen": [*expected]})
    parquet.write_table(names, tmp_path / "c.parquet")
    for name in ("list.txt", "a.tar", "b.parquet", "c.parquet"):
        out = tmp_path / f"of-{name}"
        form = "parquet" if name == "a.tar" else "jsonl"
        make(tmp_path / name, out, form=form)
        assert [*captions(out).values()] == [*expected.values()], name
    with pytest.raises(InputError, match="no column of photos; it has n, size"):
        parquet.write_table(pyarrow.table({"n": [1], "size": [2]}), tmp_path / "d.parquet")
        Source([tmp_path / "d.parquet"])
    with pytest.raises(InputError, match=r"imag.*did you mean image"):
        Source([tmp_path / "b.parquet"], "imag")
    with pytest.raises(InputError, match="needs photos that are files"):
        make(tmp_path / "a.tar", tmp_path / "no", sidecars=True)


def test_a_truncated_tar_gives_what_is_whole_in_it(album, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(album / "01.png", "1.png")
        tar.add(album / "02.png", "2.png")
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(
        whole[:3600]
    )  # in the second photo; each has two headers of 512 bytes and their contents
    report, _ = make(tmp_path / "a.tar", tmp_path / "out")
    assert captions(tmp_path / "out")["1.png"] == "a photo of shade 20" and "a.tar" in report.failed


@pytest.mark.parametrize("name", ["empty", "gone", "packed.tar.gz", "no.parquet"])
def test_what_is_no_album_is_one_line(tmp_path, name):
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    elif name != "gone":
        path.write_bytes(b"nothing")
    with pytest.raises(InputError):
        make(path, tmp_path / "out")
    assert not (tmp_path / "out/album.json").exists()


def test_a_model_that_refuses_every_photo_is_an_error_and_one_photo_is_a_row(album, tmp_path):
    class Picky(Shades):
        def caption(self, images, **decode):
            if any(image.convert("L").getpixel((0, 0)) in self.refused for image in images):
                raise InputError("too dark for me")
            return super().caption(images)

    picky = Picky()
    picky.refused = range(256)
    with pytest.raises(InputError, match="too dark"):
        make(album, tmp_path / "a", picky)
    picky.refused = [40]
    assert make(album, tmp_path / "b", picky)[0].failed["02.png"] == "too dark for me"


def test_the_least_sure_come_first(tmp_path, whole):
    found = least_sure(tmp_path / "whole", 3)
    assert [item.image_id for item, _ in found] == ["00.png", "01.png", "02.png"]


def test_the_pipeline_ends_its_threads_if_its_reader_stops(album):
    import threading

    before = threading.active_count()
    steps = captioned(Shades(), [(0, [*Source([album]).photos()])])
    next(steps)
    steps.close()
    assert threading.active_count() <= before


def test_an_actor_of_ray_makes_the_same_parts(album, tmp_path, whole):
    """What each actor does with the numbers that Ray hands it; test_on_ray.py has the cluster."""
    out = tmp_path / "actor"
    make(album, out)
    for path in out.glob("part-*"):
        path.unlink()
    made = Maker(Shades, Work(out))({"part": np.array([2, 0, 1])})
    assert made["part"] == [2, 0, 1] and made["photos"] == [2, 5, 5] and made["failed"] == [0, 1, 0]
    assert written(out) == whole


def test_an_actor_of_ray_hands_on_our_errors_in_their_words(album, tmp_path):
    def load():
        raise InputError("has no weights", key="--model", value="x")

    out = tmp_path / "actor"
    make(album, out)
    made = Maker(load, Work(out))({"part": np.array([0])})
    assert made["error"] == [str(InputError("has no weights", key="--model", value="x"))] and made["photos"] == [0]


def test_of_a_long_text_of_ray_the_line_with_the_error_is_told():
    told = "Exception in an actor, with its stack:\n  a.py, line 3\nValueError: no such photo\nTo retry, configure x."
    assert _line(RuntimeError(told)) == "ValueError: no such photo"
    assert _line(RuntimeError("only this")) == "only this" and _line(RuntimeError("")) == "RuntimeError"


def test_a_damaged_part_is_reported_before_others_are_made(album, tmp_path, whole):
    out, captioner = tmp_path / "whole", Shades()
    lines = whole["part-00000.jsonl"].splitlines(keepends=True)
    (out / "part-00000.jsonl").write_bytes(b"".join(lines[:1] + lines[2:]))
    (out / "part-00001.jsonl").unlink()
    for sidecars in (False, True):
        with pytest.raises(InputError, match=r"part-00000.jsonl is damaged \(row 2"):
            make(album, out, captioner, sidecars=sidecars)
    assert captioner.seen == 0
    (out / "part-00000.jsonl").unlink()
    make(album, out)
    assert written(out) == whole


@pytest.mark.parametrize("name", ["before", "after"])
def test_wording_that_cannot_be_written_is_named_by_its_option(name):
    with pytest.raises(InputError, match=r"--(prepend|append) is .*not UTF-8"):
        Wording(**{name: "a\udcff"}).check()


@pytest.mark.parametrize("overwrite", [False, True])
def test_sidecars_never_replace_the_list_nor_a_photo(album, tmp_path, overwrite):
    photo = (album / "01.png").read_bytes()
    (album / "02.txt").write_bytes(photo)
    link = tmp_path / "link"
    link.symlink_to(album)
    for number, (name, lines) in enumerate({"01.txt": "01.png\n", "all.txt": "02.txt\n02.png\n"}.items()):
        (album / name).write_text(lines)
        for place in (album, link):
            out = tmp_path / f"out-{number}-{place.name}"
            with pytest.raises(InputError, match=rf"--sidecar would write .*{name if number == 0 else '02.txt'}"):
                make(place / name, out, sidecars=True, overwrite=overwrite)
        assert (album / name).read_text() == lines and (album / "02.txt").read_bytes() == photo


def test_of_photos_that_share_a_sidecar_the_first_gets_it(album, tmp_path):
    Image.new("RGB", (8, 6), "white").save(album / "01.bmp")
    said = make(album, tmp_path / "out", sidecars=True)[1]
    assert "1 photo would have the text of another photo, and get none (first: 01.png)" in said
    assert (album / "01.txt").read_text() == "a photo of shade 255\n"
    report, said = make(album, tmp_path / "out", sidecars=True, overwrite=True)
    assert (album / "01.txt").read_text() == "a photo of shade 255\n" and "1 photo would" in said
    assert report.kept == 0


def test_of_photos_without_captions_there_is_nothing_to_review(album, tmp_path):
    for path in album.glob("**/*.png"):
        path.write_bytes(b"no photo")
    make(album, tmp_path / "out")
    with pytest.raises(InputError, match="has no captions to review"):
        least_sure(tmp_path / "out", 3)
