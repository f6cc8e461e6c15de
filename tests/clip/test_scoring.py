"""CLIPScore of a run, of files and as what chooses the epoch; and that what is missing is told before any work."""

import io
import json
import re
import shutil

import pytest
import torch
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from showtell.cli import app
from showtell.clip import Clip
from showtell.data import Record
from showtell.decode import Decoded
from showtell.losses.reward import Reward, check_reward
from showtell.metrics.score import score
from showtell.plumbing.errors import InputError, RecipeError
from showtell.scoring.evaluate import evaluate_run
from showtell.scoring.files import score_files
from showtell.tokenizers.words import Words
from showtell.training.log import read_log
from tests.scoring.test_evaluate import records_of
from tests.small import FROZEN, small_recipe, train_small

BOTH = "evaluate.metrics=[BLEU-4, CLIPScore, RefCLIPScore]"


@pytest.fixture
def run(frozen_run, tmp_path):
    return shutil.copytree(frozen_run, tmp_path / "run")


@pytest.fixture
def files(folder, tmp_path):
    """Captions and references of the drawn scenes to validate on, and the folder of their photos."""
    records = records_of("val")
    said = {record.image_id: record.references[0] for record in records}
    known = {record.image_id: list(record.references[1:]) for record in records}
    for name, content in (("c.json", said), ("r.json", known)):
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "photos").mkdir()
    for record in records:
        shutil.copy(record.path, tmp_path / "photos")
    return tmp_path


@pytest.mark.slow
def test_a_run_is_scored_by_its_photos(run, folder):
    found = evaluate_run(run, "val", [BOTH, f"evaluate.clip={folder}", "evaluate.clip_protocol=taipei"])
    captions = json.loads((run / "captions-val.json").read_text())
    records = records_of("val")
    alone = score(
        captions,
        {record.image_id: list(record.references) for record in records},
        ["CLIPScore", "RefCLIPScore"],
        photos={record.image_id: record.path for record in records},
        clip=Clip(str(folder), "taipei"),
    )
    assert list(found) == ["BLEU-4", "CLIPScore", "RefCLIPScore"]
    for name in alone:
        assert found[name].per_image == pytest.approx(alone[name].per_image, abs=1e-5)
    signature = found["CLIPScore"].signature
    assert "|clip tiny-clip (transformers " in signature and "|protocol taipei (2.5 cos)|" in signature
    assert json.loads((run / "scores-val.json").read_text())["scores"]["CLIPScore"]["signature"] == signature


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["evaluate.clip=./nowhere"], "clip './nowhere' is no folder and no hub id"),
        (
            ["evaluate.clip=FOLDER", "evaluate.clip_protocol=torchmetrics"],
            "RefCLIPScore is not defined by the protocol",
        ),
    ],
)
def test_what_is_missing_is_told_before_anything_is_captioned(run, folder, monkeypatch, overrides, told):
    monkeypatch.setattr("showtell.predict.captions.describe_all", lambda *a, **o: pytest.fail("photos were captioned"))
    with pytest.raises(InputError, match=f"^{re.escape(told)}"):
        evaluate_run(run, "val", [BOTH, *(item.replace("FOLDER", str(folder)) for item in overrides)])


def test_a_protocol_that_is_none_is_an_error_of_the_recipe():
    told = "evaluate.clip_protocol is 'papers'; 'evaluate' takes paper, taipei, torchmetrics"
    with pytest.raises(RecipeError, match=re.escape(told)):
        small_recipe("evaluate.clip_protocol=papers")


@pytest.mark.parametrize("name", ["CLIPScore", "RefCLIPScore"])
def test_a_model_is_loaded_only_where_a_metric_needs_it(run, folder, monkeypatch, name):
    monkeypatch.setattr(Clip, "load", lambda clip: pytest.fail("loaded"))
    evaluate_run(run, "val", ["evaluate.metrics=[BLEU-4]", f"evaluate.clip={folder}"])
    with pytest.raises(pytest.fail.Exception, match="loaded"):
        evaluate_run(run, "val", [f"evaluate.metrics=[{name}]", f"evaluate.clip={folder}"])


@pytest.mark.slow
def test_training_chooses_the_epoch_by_it(folder, tmp_path):
    train_small(tmp_path / "run", *FROZEN, "train.select=CLIPScore", f"evaluate.clip={folder}", "train.epochs=2")
    rows = [row for row in read_log(tmp_path / "run") if "val_loss" in row]
    assert len(rows) == 2 and all("CLIPScore" in row and "CIDEr-D" in row for row in rows)
    where = json.loads((tmp_path / "run/last/state.json").read_text())
    assert where["best"] == max(row["CLIPScore"] for row in rows) > 0


@pytest.mark.parametrize(
    ("override", "told"), [("evaluate.clip=./nowhere", "clip './nowhere' is no folder"), (None, "is out of reach")]
)
def test_training_is_refused_before_a_photo_is_encoded_where_the_model_is_missing(
    libraries, tmp_path, monkeypatch, override, told
):
    monkeypatch.setattr("showtell.training.setup._sources", lambda *a: pytest.fail("photos were read"))
    with pytest.raises(InputError, match=told):
        train_small(tmp_path / "run", *FROZEN, "train.select=CLIPScore", *filter(None, [override]))
    assert not (tmp_path / "run").exists()


def test_training_is_refused_at_once_where_the_libraries_are(tmp_path, monkeypatch):
    monkeypatch.setattr("showtell.metrics.clipscore.find_spec", lambda name: None)
    monkeypatch.setattr("showtell.training.setup._sources", lambda *a: pytest.fail("photos were read"))
    told = (
        r"^train.select is CLIPScore, .*: CLIPScore needs transformers or open_clip; .*pip install 'showtell\[clip\]'"
    )
    with pytest.raises(InputError, match=told):
        train_small(tmp_path / "run", "train.select=CLIPScore")


@pytest.mark.slow
def test_the_same_training_is_the_same_whatever_chooses_its_epoch(folder, tmp_path):
    """Loading a CLIP model draws no random numbers that training would miss."""
    train_small(tmp_path / "one", *FROZEN)
    train_small(tmp_path / "two", *FROZEN, "train.select=CLIPScore", f"evaluate.clip={folder}")
    one, two = ([row["loss"] for row in read_log(tmp_path / name) if "loss" in row] for name in ("one", "two"))
    assert one == two


@pytest.mark.slow
def test_it_is_a_reward_of_the_drawn_captions_own_photos(folder, photos, monkeypatch):
    clip, said = Clip(str(folder), device="cpu"), ["a red car", "two dogs run"]
    records = [Record(path.name, path, ("a black dog runs", "Two dogs."), "train") for path in photos]
    words = Words(min_count=1).fit([*said, *records[0].references])
    check_reward({"CLIPScore": 1.0}, clip)
    reward = Reward(records, words, {"CLIPScore": 2.0, "RefCLIPScore": 1.0}, clip)
    monkeypatch.setattr("showtell.clip.model.open_source", lambda *a, **k: pytest.fail("photos were read again"))
    rows = torch.tensor([[1, *words.encode(text), 2] for text in said])  # both have as many words
    drawn = Decoded(rows[:, None].repeat(1, 2, 1), torch.ones(2, 2, rows.shape[1]).bool(), torch.zeros(2, 2))
    found = reward(drawn, [4, 1])
    monkeypatch.undo()
    known = {name: [*records[0].references] for name in said}
    paths = {said[0]: photos[4], said[1]: photos[1]}
    scores = score({text: text for text in said}, known, ["CLIPScore", "RefCLIPScore"], photos=paths, clip=clip)
    for row, text in zip(found.tolist(), said, strict=True):
        wanted = 2 * scores["CLIPScore"].per_image[text] + scores["RefCLIPScore"].per_image[text]
        assert row == pytest.approx([wanted] * 2, abs=1e-6)


@pytest.mark.slow
def test_training_is_rewarded_by_it(folder, tmp_path):
    reward = ["loss=self_critical", "loss.reward={CLIPScore: 1, CIDEr-D: 1}", f"evaluate.clip={folder}"]
    train_small(tmp_path / "run", *FROZEN, *reward, "train.epochs=1")
    assert any("reward" in row for row in read_log(tmp_path / "run"))


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("evaluate.clip=./nowhere", "clip './nowhere' is no folder"),
        ("evaluate.clip_protocol=torchmetrics", "^loss.reward has RefCLIPScore, .*no references; use paper"),
    ],
)
def test_a_reward_without_its_model_is_refused_before_a_photo_is_encoded(
    libraries, tmp_path, monkeypatch, override, told
):
    monkeypatch.setattr("showtell.training.setup._sources", lambda *a: pytest.fail("photos were read"))
    reward = ["loss=self_critical", "loss.reward={RefCLIPScore: 1}"]
    with pytest.raises(InputError, match=told):
        train_small(tmp_path / "run", *FROZEN, *reward, override)


def test_files_are_scored_with_a_folder_of_photos(files, folder):
    made = score_files(
        *(files / "c.json", files / "r.json", ["CLIPScore", "BLEU-1"]), photos=files / "photos", clip=str(folder)
    )
    assert list(made) == ["CLIPScore", "BLEU-1"] and len(made["CLIPScore"].per_image) == 6


@pytest.mark.slow
def test_the_command_line_scores_photos(files, folder):
    words = ["--candidates", "c.json", "--references", "r.json", "--metrics", "CLIPScore", "--photos", "photos"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(files)
        more = ["--clip", str(folder), "--protocol", "torchmetrics", "--out", "s.json"]
        result = CliRunner().invoke(app, ["score", *words, *more], catch_exceptions=False)
    assert result.exit_code == 0 and "protocol torchmetrics (100 cos)" in result.output
    assert list(json.loads((files / "s.json").read_text())["scores"]) == ["CLIPScore"]


def refused(files, metrics=("CLIPScore",), **options):
    with pytest.raises(InputError) as error:
        score_files(files / "c.json", files / "r.json", metrics, **options)
    return str(error.value)


def test_photos_that_nobody_looks_at_and_looks_without_photos_are_told(files, folder):
    told = f"--photos {files / 'photos'}: none of the metrics uses photos; add CLIPScore to --metrics"
    assert refused(files, None, photos=files / "photos") == told
    assert refused(files, ["BLEU"], photos=files / "photos") == told
    assert refused(files).startswith("CLIPScore needs the photos; ") and "--photos DIR" in refused(files)
    assert refused(files, clip_protocol="x", photos=files / "photos").startswith("protocol is 'x'; CLIPScore takes")


@pytest.mark.slow
def test_every_candidate_needs_a_photo_that_can_be_read(files, folder, monkeypatch):
    monkeypatch.setattr("showtell.scoring.files.score", lambda *a, **o: pytest.fail("something was scored"))
    first = min((files / "photos").iterdir())
    first.write_bytes(first.read_bytes()[:80])
    told = refused(files, photos=files / "photos", clip=str(folder))
    assert told.startswith("1 of 6 photos cannot be read: 1 ") and f"(first: {first.name})" in told
    first.unlink()
    told = refused(files, photos=files / "photos", clip=str(folder))
    assert told.startswith("--photos is ") and "1 of 6 candidates" in told and repr(first.name) in told


@pytest.mark.slow
def test_photos_that_are_made_ready_are_announced_once(files, folder, monkeypatch):
    monkeypatch.setenv("SHOWTELL_CACHE", str(files / "cache"))
    for wanted in (1, 0):
        console = Console(file=io.StringIO(), width=200)
        score_files(
            *(files / "c.json", files / "r.json", ["CLIPScore"], console), photos=files / "photos", clip=str(folder)
        )
        assert console.file.getvalue().count("photos to encode, once") == wanted
    Image.new("RGB", (9, 9)).save(files / "photos/other.png")  # a photo that nobody captioned changes nothing
    assert score_files(*(files / "c.json", files / "r.json", ["CLIPScore"]), photos=files / "photos", clip=str(folder))
