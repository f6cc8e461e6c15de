"""The command line: what every command does, prints and returns; a user's mistake is one line, never a traceback."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from PIL import Image

from showtell.cli import app
from showtell.plumbing.errors import InputError
from showtell.settings.text import packaged_recipes
from tests.small import FROZEN, RECIPE, write_karpathy

COMMANDS = [
    "demo",
    "recipes",
    "train",
    "ensemble",
    "evaluate",
    "caption",
    "score",
    "compare",
    "report",
    "explain",
    "classify",
    "find",
    "serve",
    "export",
    "features",
    "doctor",
]


@pytest.fixture
def album(tmp_path):
    """Three photos in a folder with a space in its name."""
    folder = tmp_path / "my album"
    (folder / "trip").mkdir(parents=True)
    for number, name in enumerate(["a.png", "b c.png", "trip/a.png"]):
        Image.effect_noise((40, 40), 20 + 40 * number).save(folder / name)
    return folder


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text("# Small.\n" + yaml.safe_dump(RECIPE | {"encoder": {"name": "lite", "image_size": 64}}))
    return path


def told(said, *lines):
    """Whether standard error is just these lines."""
    assert said.splitlines() == list(lines)
    return True


def test_the_names_of_the_commands_are_a_contract(showtell):
    assert [command.name or command.callback.__name__ for command in app.registered_commands] == COMMANDS
    code, out, _ = showtell("--help")
    assert code == 0 and all(f" {name} " in out for name in COMMANDS)
    assert "showtell caption photo.jpg" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(showtell, command):
    code, out, _ = showtell(command, "--help")
    assert code == 0
    assert re.search(rf"Examples?: showtell {command}", " ".join(out.split()))


def test_recipes_lists_all_with_what_they_are_and_prints_one(showtell, recipe):
    code, out, _ = showtell("recipes")
    names = [line.split()[0] for line in out.splitlines()]
    assert code == 0 and names == list(packaged_recipes())
    assert "Bern 6: frozen DINOv2, a Transformer with cross-attention" in out
    assert showtell("recipes", "bern-6") == (0, packaged_recipes()["bern-6"], "")
    assert showtell("recipes", recipe) == (0, recipe.read_text(), "")


@pytest.mark.slow
def test_a_recipe_becomes_a_run_scores_captions_and_pictures(showtell, recipe, album, tmp_path, monkeypatch):
    """The whole way, by the commands alone."""
    monkeypatch.chdir(tmp_path)
    code, out, err = showtell("features", recipe)
    assert code == 0 and re.fullmatch(r"cached: 36 photos in .*features-2-[0-9a-f]+\n", out)
    code, out, err = showtell("train", recipe, "train.max_steps=5", "train.epochs=9")
    assert code == 0
    assert out == "trained: runs/small; next: showtell evaluate runs/small, showtell caption PHOTO --model runs/small\n"
    assert "to encode" not in err  # features did that
    code, out, err = showtell("evaluate", "runs/small", "--split", "test", "decode.num_beams=1")
    assert code == 0 and "CIDEr-D" in out
    assert "|splittest|beam(num_beams=1," in "".join(out.split())  # a line ends at 80 columns
    assert "written: runs/small/scores-test.json, runs/small/captions-test.json" in out
    assert len(json.loads(Path("runs/small/scores-test.json").read_text())["per_image"]) == 6
    code, out, err = showtell("caption", album, "--model", "runs/small", "--out", "captions.json")
    assert (code, out) == (0, "written: captions.json (3 captions)\n")
    code, out, err = showtell("explain", album, "--model", "runs/small", "--out", "maps")
    assert code == 0 and sorted(path.name for path in Path("maps").glob("*.png")) == ["a.png", "b c.png", "trip_a.png"]
    assert out == "".join(f"written: maps/{name}\n" for name in ("a.png", "b c.png", "trip_a.png", "explained.html"))
    references = {image_id: ["a red star"] for image_id in json.loads(Path("captions.json").read_text())}
    Path("references.json").write_text(json.dumps(references))
    score = ("score", "--candidates", "captions.json", "--references", "references.json")
    code, out, err = showtell(*score, "--metrics", "BLEU, rouge-l", "--out", "scores.json")
    assert code == 0 and "ROUGE-L" in out and "CIDEr-D" not in out
    scores = json.loads(Path("scores.json").read_text())
    assert list(scores["scores"]) == ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L"]
    assert list(scores["per_image"]) == list(references)


def test_score_says_before_its_work_that_out_cannot_be_written(showtell, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = showtell(
        "score", "--candidates", "none", "--references", "none", "--out", tmp_path / "file" / "scores.json"
    )
    assert code == 2 and "--out" in err and "not a folder" in err


def test_features_say_what_is_left_out_and_take_recipes_that_take_no_steps(showtell, tmp_path):
    write_karpathy(tmp_path)
    next((tmp_path / "images").iterdir()).unlink()
    code, out, err = showtell("features", "nearest", f"data.root={tmp_path}", "encoder.image_size=64")
    assert code == 0 and re.fullmatch(r"cached: 5 photos in .*\n", out)
    assert "data: karpathy" in err and "skipped: 1 no such photo" in err


@pytest.mark.slow
def test_features_draw_the_same_random_weights_as_training(showtell, recipe, tmp_path):
    random = ("encoder=timm", "encoder.model=test_vit", "encoder.weights=random", "encoder.image_size=32")
    code, out, _ = showtell("features", recipe, *random, "train.seed=3")
    assert code == 0
    folder = Path(out.split(" in ")[1].strip())
    before = sorted(path.name for path in folder.parent.iterdir())
    assert showtell("train", recipe, *random, "train.seed=3", "train.max_steps=1", "--run", tmp_path / "run")[0] == 0
    assert sorted(path.name for path in folder.parent.iterdir()) == before


@pytest.mark.slow
def test_features_fill_every_view_of_every_encoder_that_training_reads(showtell, recipe, tmp_path):
    parts = "encoder.parts=[{image_size: 64}, {image_size: 64, version: 2}]"
    overrides = ("encoder=concat", parts, "train.augment=flip", "train.max_steps=1")
    code, out, _ = showtell("features", recipe, *overrides)
    counts = [int(line.split()[1]) for line in out.splitlines()]
    assert code == 0 and len(counts) == 4 and counts[0] == counts[1] > counts[2] == counts[3]
    code, _, err = showtell("train", recipe, *overrides, "--run", tmp_path / "run")
    assert code == 0 and "to encode" not in err


@pytest.mark.slow
def test_every_photo_gets_a_line(showtell, album, frozen_run, monkeypatch):
    monkeypatch.chdir(album.parent)
    code, out, err = showtell("caption", "my album", "--model", frozen_run)
    assert (code, err) == (0, "")
    assert [line.partition(": ")[0] for line in out.splitlines()] == ["a.png", "b c.png", "trip/a.png"]
    assert all(line.partition(": ")[2] for line in out.splitlines())
    code, out, err = showtell("caption", "my album/a.png", "my album/trip/a.png", "--model", frozen_run)
    assert [line.partition(": ")[0] for line in out.splitlines()] == ["my album/a.png", "my album/trip/a.png"]


@pytest.mark.slow
def test_decoding_may_be_changed_between_the_photos(showtell, album, frozen_run):
    photo = album / "a.png"
    usual = showtell("caption", photo, "--model", frozen_run)[1]
    short = showtell("caption", photo, "decode.max_length=3", "--model", frozen_run)[1]
    assert len(short.split()) <= 3 < len(usual.split())
    assert showtell("caption", "decode=greedy", photo, "--model", frozen_run)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv"])
def test_captions_go_into_the_file_that_is_asked_for(showtell, album, frozen_run, tmp_path, suffix):
    path = tmp_path / f"my captions.{suffix}"
    code, out, err = showtell("caption", album, "--model", frozen_run, "--out", path)
    assert (code, out, err) == (0, f"written: {path} (3 captions)\n", "")
    if suffix == "json":
        content = json.loads(path.read_text())
    elif suffix == "jsonl":
        content = {row["image_id"]: row["caption"] for row in map(json.loads, path.read_text().splitlines())}
    else:
        with path.open(newline="") as file:
            content = {row["image_id"]: row["caption"] for row in csv.DictReader(file)}
    lines = showtell("caption", album, "--model", frozen_run)[1].splitlines()
    assert content == dict(line.split(": ", 1) for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["caption", "explain"])
def test_a_photo_that_cannot_be_read_costs_only_itself(showtell, album, frozen_run, tmp_path, command):
    (album / "bad.png").write_bytes((album / "a.png").read_bytes()[:200])
    (album / "worse.jpg").write_text("no photo")
    out = tmp_path / ("out.json" if command == "caption" else "maps")
    code, said, err = showtell(command, album, "--model", frozen_run, "--out", out)
    assert code == 3
    assert told(
        err,
        "not read: bad.png: truncated",
        "not read: worse.jpg: not an image (jpeg, png, webp, bmp, gif, tiff, avif, heif can be read)",
        "2 of 5 photos cannot be read",
    )
    if command == "caption":
        assert said == f"written: {out} (3 captions)\n" and len(json.loads(out.read_text())) == 3
    else:
        assert len(list(out.glob("*.png"))) == len(list(out.glob("*.npz"))) == 3 and (out / "explained.html").is_file()


@pytest.mark.slow
def test_names_of_files_that_are_no_text_are_printed_escaped(showtell, album, frozen_run):
    (album / "a.png").rename(album / os.fsdecode(b"b\xe4r.png"))
    code, out, _ = showtell("caption", album, "--model", frozen_run)
    assert code == 0 and out.count("\n") == 3
    assert r"b\udce4r.png: " in out


@pytest.mark.slow
def test_every_photo_that_cannot_be_read_is_listed_by_its_place(showtell, album, frozen_run):
    (album / "below").mkdir()
    for number in range(12):
        (album / "below" / f"{number:02}\n.png").touch()
    code, _, err = showtell("caption", album, "--model", frozen_run)
    listed = [line for line in err.splitlines() if line.startswith("not read: ")]
    assert code == 3 and listed == [rf"not read: below/{number:02}\n.png: empty file" for number in range(12)]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["caption", "explain"])
def test_links_and_folders_that_a_shell_names_among_photos_cost_only_themselves(
    showtell, album, frozen_run, tmp_path, command
):
    (album / "broken.jpg").symlink_to("nowhere")
    (album / "loop.jpg").symlink_to("loop.jpg")
    (album / "folder.jpg").mkdir()
    out = tmp_path / ("out.json" if command == "caption" else "maps")
    code, _, err = showtell(command, *sorted(album.iterdir()), "--model", frozen_run, "--out", out)
    assert code == 3
    leads = "a link that leads nowhere"
    folder = "not read: folder.jpg: a folder, not an image"
    rest = (f"not read: loop.jpg: {leads}", "3 of 6 photos cannot be read")
    assert told(err, f"not read: broken.jpg: {leads}", folder, *rest)


MISTAKES = {  # what is written -> what is told after "error: "
    "train bern-9": "there is no recipe 'bern-9'; packaged are bern-1, ",
    "train bern-6 trian.epochs=1": "trian is not a section; sections are data, encoder, ",
    "train bern-6 epochs": "'epochs' is not an override; it takes section.key=value, such as train.epochs=10",
    "train bern-6 train.epoch=1": "train.epoch is not an option of 'train'; it takes epochs, ",
    "train bern-6 encoder=lite data.root=none": "data.root is 'none'; it takes a folder that exists",
    "train bern-6 encoder=lite --run RUN": "RUN exists; continue it with --resume, or choose another folder with --run",
    "train bern-6 encoder=lite --run typo --resume": "typo does not exist, so there is nothing to resume; start",
    "train bern-6 encoder=lite --run empty --resume": "empty has no checkpoint, so there is nothing to resume; start",
    "features bern-6 encoder=lit": "encoder.name is 'lit'; it takes cnn, timm, lite, clip, concat (did you mean lite?)",
    "features bern-6 data=folder data.root=empty encoder=lite": "empty: no photos in it or its subfolders; searched",
    "recipes bern6": "there is no recipe 'bern6'; packaged are bern-1, ",
    "evaluate none": "none is no folder; evaluate takes a run folder of `showtell train`; with --out FOLDER also any ",
    "evaluate empty": "empty is not a run: it has no recipe.yaml",
    "evaluate RUN --split dev": "--split is 'dev'; there are captioned photos in test, train, val",
    "evaluate RUN train.lr=1": "train.lr=1 cannot be changed here; evaluate changes only data, decode, ",
    "caption none.jpg": "none.jpg does not exist; name photos or folders of photos",
    "caption empty": "empty: no photos in it or its subfolders; searched for .jpg",
    "caption album --model RUN --out out.txt": "--out is 'out.txt'; it takes a name that ends in .json, .jsonl or .csv",
    "caption album --model RUN --out none/out.csv": "--out none/out.csv cannot be written: No such file or directory",
    "caption album --model nobody/none": "hf:nobody/none is not in the local cache, and the Hugging Face Hub is out of",
    "caption album --model empty": "empty is not a run: it has no recipe.yaml",
    "caption album --model RUN decode.num_beam=3": "decode.num_beam is not an option of 'beam'; it takes num_beams, ",
    "caption album --model RUN train.lr=3": "train.lr=3 is not a photo; here you can change decode, captioner.views, ",
    "explain album --model RUN data.size=3": "data.size=3 is not a photo; here you can change decode, ",
    "caption album --model RUN num_beams=3": "num_beams=3 is not a photo; here you can change decode, ",
    "train bern-6 epochs=3": "epochs is not a section; sections are data, encoder, ",
    "explain none.jpg --model RUN": "none.jpg does not exist; name photos or folders of photos",
    "score --candidates c.json --references none.json": "none.json does not exist",
    "score --candidates c.json --references empty": "empty is a folder, not an ordinary file",
    "score --candidates c.json --references c.json": "c.json holds no references; it takes {image_id: [captions]}, ",
    "score --candidates c.json --references r.json --metrics CIDR": "'CIDR' is not a metric; there are ",
    "score --candidates c.json --references r.json --out empty": "empty cannot be written: ",
}


@pytest.mark.parametrize("written", list(MISTAKES))
def test_a_mistake_is_one_line_and_exit_code_2(showtell, frozen_run, tmp_path, monkeypatch, written):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("album").mkdir()
    Image.new("RGB", (40, 40)).save("album/a.png")
    Path("c.json").write_text('{"a": "a dog"}')
    Path("r.json").write_text('{"a": ["a dog"]}')
    code, _, err = showtell(*(frozen_run if word == "RUN" else word for word in written.split()))
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith("error: " + MISTAKES[written].replace("RUN", str(frozen_run)))


@pytest.mark.parametrize("words", [["caption"], ["train"], ["score"], ["fly"], ["train", "bern-6", "--fast"]])
def test_wrong_use_is_exit_code_2(showtell, words):
    code, _, err = showtell(*words)
    assert code == 2 and "Usage: showtell" in err


@pytest.mark.slow
def test_a_mistake_leaves_earlier_captions_as_they_are(showtell, album, tmp_path):
    path = tmp_path / "captions.json"
    path.write_text('{"a": "a dog"}')
    for words in (["--model", "nobody/none"], ["decode.max_length=x"]):
        assert showtell("caption", album, *words, "--out", path)[0] == 2
        assert path.read_text() == '{"a": "a dog"}'


def test_what_nobody_foresaw_of_a_disk_is_one_line_too(showtell):
    code, _, err = showtell("caption", "x" * 300)
    assert (code, err) == (2, f"error: {'x' * 300}: File name too long\n")


def test_a_finished_run_is_no_error(showtell, recipe, tmp_path, frozen_run):
    run = shutil.copytree(frozen_run, tmp_path / "a run")
    code, _, err = showtell("train", recipe, *FROZEN, "train.accumulate=2", "--run", run, "--resume")
    assert code == 0
    assert told(err, f"{run} finished at step 8: there is nothing to resume")


def test_help_does_not_wait_for_torch():
    code = "import sys, showtell.cli; print([name for name in ('torch', 'spacy', 'timm') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.slow
def test_ctrl_c_is_exit_code_130_and_the_run_goes_on(showtell, recipe, tmp_path):
    run = tmp_path / "run"
    words = ["train", recipe, "train.epochs=300", "train.validate_every=300", "train.save_every=2", "--run", run]
    process = subprocess.Popen(
        [sys.executable, "-m", "showtell", *map(str, words)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while process.poll() is None and not (run / "last" / "state.json").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == "" and "Traceback" not in err
    (step,) = re.findall(rf"^stopped at step (\d+); continue {re.escape(str(run))} with --resume$", err, re.MULTILINE)
    assert json.loads((run / "last" / "state.json").read_text())["step"] == int(step)
    code, _, err = showtell(*words, "train.max_steps=3", "--resume")
    assert code == 2 and err.startswith(f"error: {run} was trained with train.max_steps=None, not 3;")


@pytest.mark.slow
def test_the_module_runs_as_the_command():
    found = subprocess.run([sys.executable, "-m", "showtell", "recipes"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("bern-1")
    found = subprocess.run([sys.executable, "-m", "showtell", "caption", "none.jpg"], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (
        2,
        "error: none.jpg does not exist; name photos or folders of photos\n",
    )


def test_a_mistake_in_python_is_an_exception_of_its_own():
    assert issubclass(InputError, ValueError)
