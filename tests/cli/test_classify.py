"""`showtell classify`: Taipei's CSV, what it prints, the pictures, and every wrong use as one line."""

import csv
import json
import shutil

import pytest
from PIL import Image

from tests.clip.conftest import folder, libraries  # noqa: F401 - fixtures
from tests.clip.tiny import draw_photos

NAMES = {"0": "bicycle", "1": "chair", "2": "tennis court"}


@pytest.fixture
def taipei(tmp_path):
    """Photos called `<class>_<id>.png`, id2label.json, and one file that is no photo."""
    for number, path in enumerate(draw_photos(tmp_path / "drawn", count=5)):
        (tmp_path / "val").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "val" / f"{number % 3}_{450 + number}.png")
    (tmp_path / "id2label.json").write_text(json.dumps(NAMES))
    return tmp_path


def run(showtell, taipei, *words, model="tiny"):
    return showtell("classify", taipei / "val", "--labels", taipei / "id2label.json", "--model", model, *words)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip", "captioner"])
def test_taipeis_csv_is_exact(showtell, taipei, folder, kind):  # noqa: F811
    model = folder if kind == "clip" else "tiny"
    code, out, _ = run(showtell, taipei, "--out", taipei / "made" / "pred.csv", model=model)
    assert code == 0 and "5 rows" in out
    lines = (taipei / "made" / "pred.csv").read_bytes().decode().split("\n")
    assert lines[0] == "filename,label" and lines[-1] == "" and len(lines) == 7
    rows = [line.split(",") for line in lines[1:-1]]
    assert [name for name, _ in rows] == [f"{number % 3}_{450 + number}.png" for number in (0, 3, 1, 4, 2)]
    assert {label for _, label in rows} <= {"0", "1", "2"}


@pytest.mark.slow
def test_without_ids_the_label_is_the_name(showtell, taipei):
    showtell("classify", taipei / "val", "--labels", "cat,tennis court", "--out", taipei / "pred.csv")
    rows = list(csv.DictReader((taipei / "pred.csv").open()))
    assert {row["label"] for row in rows} <= {"cat", "tennis court"}


@pytest.mark.slow
def test_without_a_file_each_photo_is_a_line(showtell, taipei):
    code, out, err = run(showtell, taipei, "--top", "2")
    lines = out.splitlines()
    assert code == 0 and len(lines) == 5 and "tiny" in err
    assert all(line.startswith(("0_", "1_", "2_")) and line.count(",") == 1 for line in lines)


@pytest.mark.slow
def test_a_photo_that_cannot_be_read_gets_the_first_label(showtell, taipei):
    (taipei / "val" / "1_777.png").write_bytes(b"no photo")
    code, _, err = run(showtell, taipei, "--out", taipei / "pred.csv")
    assert "left out" not in err and code == 3 and "not read: 1_777.png" in err and "first label, 0" in err
    assert dict(csv.reader((taipei / "pred.csv").open()))["1_777.png"] == "0"
    code, _, err = run(showtell, taipei, "--out", taipei / "pred.csv", "--skip")
    assert code == 3 and "skipped" in err
    assert "1_777.png" not in (taipei / "pred.csv").read_text()


@pytest.mark.slow
def test_prompts_are_compared_where_the_truth_is_known(showtell, taipei):
    code, out, _ = run(showtell, taipei, "--truth", "name", "--top", "2", "--prompt", "a {}", "--prompt", "{} {}")
    assert code == 0 and "accuracy on 5 photos of 3 classes" in out
    for word in ("a {}", "{} {}", "ensemble", "top-2", "class recall", "best", "Holm"):
        assert word in out
    code, out, _ = run(showtell, taipei, "--truth", "name")
    assert "Holm" not in out and "top-" not in out and "a photo of a {}" in out


@pytest.mark.slow
def test_a_set_of_prompts_and_own_ones_go_together(showtell, taipei):
    _, out, _ = run(showtell, taipei, "--truth", "name", "--prompts", "none", "--prompt", "a {}")
    assert "ensemble" in out and "a {}" in out


@pytest.mark.slow
def test_folders_are_labels_and_the_truth(showtell, tmp_path):
    for name, path in zip(["red_car", "dog", "dog"], draw_photos(tmp_path / "drawn", count=3), strict=True):
        (tmp_path / "album" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "album" / name)
    code, out, err = showtell("classify", tmp_path / "album", "--labels", "folders")
    assert code == 0 and "3 photos of 2 classes" in out and "dog, red car" in err


@pytest.mark.slow
def test_long_rows_say_what_else_is_known(showtell, taipei):
    (taipei / "val" / "9_777.png").write_bytes(b"no photo")
    run(showtell, taipei, "--truth", "name", "--long", "--out", taipei / "pred.csv")
    rows = {row["filename"]: row for row in csv.DictReader((taipei / "pred.csv").open())}
    row = rows["1_451.png"]
    assert row["name"] == NAMES[row["label"]] and row["truth"] == "1"
    likely = [float(part.split(":")[1]) for part in row["top"].split("; ")]
    assert likely == sorted(likely, reverse=True) and sum(likely) == pytest.approx(1, abs=1e-3)
    assert float(row["probability"]) == likely[0]
    assert float(row["margin"]) == pytest.approx(likely[0] - likely[1], abs=1e-3)
    assert rows["9_777.png"]["probability"] == "" and rows["9_777.png"]["label"] == "0"


@pytest.mark.slow
def test_bars_are_a_picture_for_each_photo(showtell, taipei):
    code, out, _ = run(showtell, taipei, "--truth", "name", "--bars", taipei / "bars")
    assert code == 0 and "5 pictures" in out
    pictures = sorted((taipei / "bars").iterdir())
    assert [path.name for path in pictures] == sorted(f"{n % 3}_{450 + n}.png" for n in range(5))
    with Image.open(pictures[0]) as picture:
        assert picture.width > 2 * picture.height


@pytest.mark.slow
def test_photos_are_encoded_once(showtell, taipei, folder, monkeypatch):  # noqa: F811
    run(showtell, taipei, model=folder)
    monkeypatch.setattr("showtell.cache.source.fill", lambda *_: pytest.fail("encoded again"))
    assert run(showtell, taipei, "--prompt", "one more {}", model=folder)[0] == 0


WRONG = {
    "a gap": (["--labels", '{"0": "a", "2": "b"}'], "id 1 is missing"),
    "a duplicate": (["--labels", '["a", "b", "a"]'], "more than once"),
    "an empty name": (["--labels", '["a", ""]'], "empty"),
    "no labels": (["--labels", "nofile.json"], "nofile.json"),
    "no place": (["--labels", "a,b", "--prompt", "a photo"], "{}"),
    "no set": (["--labels", "a,b", "--prompts", "simple"], "simple7"),
    "no csv": (["--labels", "a,b", "--out", "pred.txt"], ".csv"),
    "a folder": (["--labels", "a,b", "--out", "dir.csv"], "folder"),
    "no truth": (["--labels", "a,b", "--truth", "nofile.csv"], "nofile.csv"),
    "nothing known": (["--labels", "a,b", "--truth", "name"], "no photo a label"),
    "no model": (["--labels", "a,b", "--model", "./nowhere"], "nowhere"),
    "no hub": (["--labels", "a,b", "--model", "openai/clip-vit-base-patch32"], "out of reach"),
    "no architecture": (["--labels", "a,b", "--model", "open_clip:ViT-B32/openai"], "ViT-B-32"),
    "bars in a file": (["--labels", "a,b", "--bars", "id2label.json"], "--bars"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_line(showtell, taipei, monkeypatch, libraries, case):  # noqa: F811
    words, word = WRONG[case]
    monkeypatch.chdir(taipei)
    (taipei / "dir.csv").mkdir()
    if words[1][0] in "{[":
        (taipei / "wrong.json").write_text(words[1])
        words = ["--labels", "wrong.json"]
    code, out, err = showtell("classify", "val", *words)
    assert (code, out) == (2, "") and word in err and len(err.splitlines()) == 1


def test_a_folder_without_photos_and_a_photo_that_there_is_not_are_one_line(showtell, tmp_path):
    (tmp_path / "empty").mkdir()
    for photos, word in (("empty", "no photos"), ("nowhere.jpg", "does not exist")):
        code, _, err = showtell("classify", tmp_path / photos, "--labels", "a,b")
        assert code == 2 and word in err and len(err.splitlines()) == 1


@pytest.mark.slow
def test_a_captioner_that_repeats_captions_cannot_score(showtell, taipei, tmp_path, monkeypatch):
    few = ["data.images=20", "data.val_images=4", "data.test_images=0", "encoder.image_size=64"]
    showtell("train", "nearest", "data=scenes", *few, "--run", tmp_path / "nearest")
    code, _, err = run(showtell, taipei, model=tmp_path / "nearest")
    assert code == 2 and "probabilities" in err
