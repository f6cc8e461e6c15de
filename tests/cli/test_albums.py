"""`showtell caption ALBUM --out FOLDER/` and `showtell find`, by the command line, with a trained captioner."""

import json

import pytest
from PIL import Image

from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.loading import load
from tests.chromium import chromium, opened, violations


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    for number in range(5):
        Image.effect_noise((60, 40), 20 + 40 * number).save(folder / f"{number}.png")
    (folder / "bad.png").write_bytes(b"no photo")
    return folder


@pytest.mark.slow
def test_an_album_is_captioned_reviewed_and_searched(showtell, album, tmp_path, frozen_run):
    out = tmp_path / "captions"
    words = ("caption", album, "--model", frozen_run, "--out", f"{out}/")
    code, said, err = showtell(*words, "--review", tmp_path / "review.html")
    assert code == 3 and f"written: {out}/ (6 photos, 6 of them now" in said and "bad.png: not an image" in err
    found = [json.loads(line) for line in (out / "part-00000.jsonl").read_text().splitlines()]
    captioner = load(frozen_run)
    for row in found[:5]:
        (single,) = captioner.caption([album / row["image_id"]])
        assert row["caption"] == single.text and row["log_prob"] == pytest.approx(single.log_prob, abs=1e-3)
        assert row["mean_log_prob"] == pytest.approx(single.log_prob / (len(single.tokens) - 1), abs=1e-3)
    page = (tmp_path / "review.html").read_text("utf-8")
    assert page.count("<img src=") == 5 and "bad.png" in page
    code, said, err = showtell(*words, "decode.num_beams=1")
    assert code == 2 and "was begun with another decoding" in err and "--overwrite" in err
    word = next(word for row in found[:5] for word in row["caption"].split())
    for place in (out, album):
        code, said, err = showtell("find", word, place, "--model", frozen_run, "--top", 2, "--out", tmp_path / "f.html")
        assert code == 0 and len(said.splitlines()) == 3, err
    code, _, err = showtell("find", "zzz", out, "--model", frozen_run)
    assert code == 2 and "no caption has a word of 'zzz'" in err


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--shard", "0/2"], "--shard needs a folder"),
        (["--out", "c.json", "--sidecar", "txt"], "--sidecar needs a folder"),
        (["--out", "c/", "--sidecar", "json"], "--sidecar is 'json'"),
        (["--out", "c/", "--format", "csv"], "--format is 'csv'"),
        (["--out", "c/", "--engine", "spark"], "--engine is 'spark'"),
        (["--out", "c/", "--max-characters", "3", "--prepend", "photo"], "--max-characters is 3"),
        (["--out", "c/", "--photo-column", "a"], "only for parquet"),
        (["--out", "c/", "--review", "page.txt"], "--review is 'page.txt'"),
    ],
)
def test_a_wrong_wish_is_one_line_before_the_model_is_loaded(showtell, album, tmp_path, monkeypatch, words, wrong):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("showtell.cli.captioning.load_model", None)
    monkeypatch.setattr("showtell.cli.albums.load_model", None)
    code, _, err = showtell("caption", album, *words)
    assert code == 2 and wrong in err and len(err.splitlines()) == 1
    assert not (tmp_path / "c").exists()


@pytest.mark.slow
def test_the_page_to_review_reads_well_in_a_browser(showtell, album, tmp_path, frozen_run):
    page = tmp_path / "review.html"
    showtell("caption", album, "--model", frozen_run, "--out", tmp_path / "captions", "--review", page)
    with chromium() as browser:
        for scheme in ("light", "dark"):
            with opened(browser, page, color_scheme=scheme) as shown:
                assert not violations(shown)
                assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")


class _Sure(Captioner):
    """It gives every photo the same caption."""

    name = "sure"

    def caption(self, images, **decode):
        return [Caption("a dog", [5, 6], -1.0) for _ in images]

    def save_pretrained(self, folder, *, half=False):
        raise NotImplementedError

    @property
    def fingerprint(self):
        return "sure"


def test_failures_are_named_whether_or_not_there_is_a_page_to_review(showtell, album, tmp_path, monkeypatch):
    monkeypatch.setattr("showtell.cli.albums.load_model", lambda model, changes: _Sure())
    page = tmp_path / "new/folder/review.html"
    words = ("--model", "sure", "--review", page)
    code, said, err = showtell("caption", album, "--out", tmp_path / "a", *words)
    assert code == 3 and "bad.png: not an image" in err and page.is_file() and str(page) in said
    page.unlink()
    for path in album.iterdir():
        path.write_bytes(b"no photo")
    code, _, err = showtell("caption", album, "--out", tmp_path / "b", *words)
    assert code == 3 and err.count("not an image") == 6 and "no captions to review" in err and not page.exists()
