"""Recipes with regions, from training to captions: what is saved is found again, and what cannot be is told."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import showtell
from showtell.cache import open_source
from showtell.captioners import Captioner
from showtell.data import Record
from showtell.encoders import Encoder
from showtell.explain.explain import explain
from showtell.plumbing.errors import InputError, RecipeError
from showtell.recipe.build import build, build_encoder
from showtell.regions import REGIONS
from showtell.regions.windows import Windows, windows
from showtell.scoring.evaluate import evaluate_run
from showtell.settings.text import override
from tests.regions.small import WRITERS, Images
from tests.small import FROZEN, RECIPE, small_recipe, train_small
from tests.training.killed import killed

WINDOWS = [*FROZEN, "encoder.image_size=32", "regions=windows"]
TOPDOWN = ["decoder=topdown", "decoder.dim=12", "decoder.image_dim=8", "decoder.embedding_dim=7"]
ATTEND = ["decoder=attend", "decoder.dim=12", "decoder.attention_dim=8", "decoder.embedding_dim=7"]
RECURRENT = ["decoder=recurrent", "decoder.conditioning=every_step", "decoder.dim=12"]


def photos(split: str) -> list[Record]:
    return [record for record in build(small_recipe(), "data") if record.split == split]


def captioner(run: Path) -> Captioner:
    found: Captioner = showtell.load(run)
    return found


@pytest.mark.slow
def test_windows_with_topdown_train_save_caption_and_explain(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_small(run, *WINDOWS, *TOPDOWN, "train.max_steps=2", "decode.max_length=6")
    found = captioner(run)
    assert isinstance(found.encoder, Windows) and found.recipe["regions"] == {"name": "windows", "pool": "max"}
    path = photos("val")[0].path
    live = found.caption([path])[0]
    cached = found.describe(open_source(photos("val")[:1], found.encoder, progress=False)([0]))[0]
    assert live.text == cached.text and live.tokens == cached.tokens
    explained = explain(found, found.open(path))
    image = found.open(path)
    wanted = [(box[0] / image.width, box[1] / image.height) for box in windows(*image.size)]
    assert [tuple(box[:2]) for box in explained.boxes.tolist()] == wanted
    assert explained.maps.shape == (len(explained.words), 10)


@pytest.mark.slow
def test_windows_train_with_a_grid_decoder_and_with_one_vector(tmp_path: Path) -> None:
    for name, decoder in {"tokens": [], "attend": ATTEND, "pooled": RECURRENT}.items():
        train_small(tmp_path / name, *WINDOWS, *decoder, "train.max_steps=2", "regions.pool=mean")
        assert captioner(tmp_path / name).caption([photos("val")[0].path])[0].tokens


@pytest.mark.slow
def test_nearest_compares_windows(tmp_path: Path) -> None:
    from showtell.recipe.check import check
    from showtell.training.loop import train

    recipe = {"data": RECIPE["data"], "captioner": {"name": "nearest", "k": 2}}
    checked = check(override(recipe, [*WINDOWS, "regions.pool=mean"]))
    run = train(checked, tmp_path / "run", console=Console(file=io.StringIO()))
    assert captioner(run).caption([photos("train")[0].path])[0].text


def test_another_encoder_leaves_the_regions_as_they_are() -> None:
    recipe = {"encoder": {"name": "timm", "model": "resnet101"}, "regions": {"name": "windows", "pool": "mean"}}
    assert override(recipe, ["encoder=lite"]) == {"encoder": {"name": "lite"}, "regions": recipe["regions"]}


def test_no_regions_are_the_encoder_as_it_is() -> None:
    assert type(build_encoder(small_recipe(*FROZEN))) is type(build(small_recipe(*FROZEN), "encoder"))


def test_a_users_own_regions_get_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(encoder: Encoder, *, share: float = 0.5) -> Encoder:
        encoder.share = share
        return encoder

    monkeypatch.setitem(REGIONS, "mine", mine)
    assert build_encoder(small_recipe(*FROZEN, "regions=mine", "regions.share=0.25")).share == 0.25


def computed(root: Path, *, boxes: bool = False, splits: tuple[str, ...] = ("train", "val"), skip: int = 0) -> Images:
    """Features of the scenes, between 2 and 4 regions each."""
    draw = np.random.default_rng(0)
    records = [record for split in splits for record in photos(split)][skip:]
    root.mkdir(exist_ok=True)
    made: Images = {}
    for number, record in enumerate(records):
        count = 2 + number % 3
        corners = np.tile(np.array([0.1, 0.2, 0.6, 0.9], dtype=np.float32), (count, 1))
        features = draw.standard_normal((count, 9), dtype=np.float32)
        made[Path(record.image_id).stem] = (features, corners if boxes else None)
    return made


@pytest.mark.parametrize(
    "decoder",
    [
        pytest.param(RECURRENT, id="recurrent", marks=pytest.mark.slow),
        pytest.param([*TOPDOWN, "decoder.regions=4"], id="topdown"),
        pytest.param(ATTEND, id="attend", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("form", ["npz", pytest.param("h5", marks=pytest.mark.slow)])
def test_precomputed_features_train_resume_and_are_scored(decoder: list[str], form: str, tmp_path: Path) -> None:
    file = WRITERS[form](tmp_path, computed(tmp_path))
    changes = [*decoder, "encoder=timm", "regions=precomputed", f"regions.file={file}", "decode.max_length=6"]
    straight, run = tmp_path / "straight", tmp_path / "run"
    train_small(straight, *changes)
    from showtell.training import loop as module

    step, count = module.Job.step, 0

    def stopping(job: module.Job) -> dict[str, object]:
        nonlocal count
        if (count := count + 1) > 7:
            raise KeyboardInterrupt
        return step(job)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module.Job, "step", stopping)
        train_small(run, *changes)
    train_small(run, *changes, resume=True)
    assert (run / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()
    scores = evaluate_run(run, "val", ["evaluate.metrics=[CIDEr-D]"], Console(file=io.StringIO()))
    assert scores
    with pytest.raises(InputError, match="so it cannot encode other photos"):
        captioner(run).caption([photos("val")[0].path])


@pytest.mark.slow
def test_a_transformer_reads_their_boxes_and_is_refused_without(tmp_path: Path) -> None:
    changes = ["regions=precomputed", "train.max_steps=2", f"regions.file={tmp_path / 'all.npz'}"]
    WRITERS["npz"](tmp_path, computed(tmp_path, boxes=True))
    train_small(tmp_path / "boxes", *changes)
    WRITERS["npz"](tmp_path, computed(tmp_path))
    with pytest.raises(RecipeError, match=r"^regions\.file is .*, which has no boxes, but decoder 'transformer' needs"):
        train_small(tmp_path / "none", *changes)
    assert not (tmp_path / "none").exists()
    train_small(tmp_path / "pooled", *changes, "decoder.sees=pooled")
    with pytest.raises(
        RecipeError, match=r"decoder 'attend' needs the box .* decoder=attend without decoder.image_dim, "
    ):
        train_small(tmp_path / "mapped", *changes, "decoder=attend", "decoder.image_dim=8")
    train_small(tmp_path / "attend", *changes, "decoder=attend")


@pytest.mark.slow
def test_a_run_does_not_go_on_with_other_features(tmp_path: Path) -> None:
    changes = [
        "regions=precomputed",
        f"regions.file={tmp_path / 'all.npz'}",
        "decoder.sees=pooled",
        "train.save_every=1",
    ]
    arrays = computed(tmp_path)
    WRITERS["npz"](tmp_path, arrays)
    killed(tmp_path / "run", changes, "Job.step", 3)
    WRITERS["npz"](tmp_path, {name: (3 * array + 1, boxes) for name, (array, boxes) in arrays.items()})
    with pytest.raises(InputError, match=r"^the photos or their features have changed since "):
        train_small(tmp_path / "run", *changes, resume=True)
    WRITERS["npz"](tmp_path, arrays)
    train_small(tmp_path / "run", *changes, resume=True)


def test_another_number_of_regions_than_the_decoder_has_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError, match=r"decoder\.regions is 7, but regions 'windows' gives 10 per image; use decoder\.regions=10"
    ):
        train_small(tmp_path / "run", *WINDOWS, *TOPDOWN, "decoder.regions=7")
    file = WRITERS["npz"](tmp_path, computed(tmp_path))
    with pytest.raises(RecipeError, match=r"decoder\.regions is 10, but regions 'precomputed' gives 4 per image"):
        train_small(tmp_path / "run", *TOPDOWN, "regions=precomputed", f"regions.file={file}")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_card_says_what_is_seen(tmp_path: Path) -> None:
    train_small(tmp_path / "run", *WINDOWS, *TOPDOWN, "train.max_steps=1")
    assert captioner(tmp_path / "run").parts == "`lite` encoder on `windows`, `topdown` decoder"


@pytest.mark.slow
def test_training_that_begins_with_a_run_of_other_regions_is_refused(tmp_path: Path) -> None:
    train_small(tmp_path / "run", *WINDOWS, *TOPDOWN, "train.max_steps=1")
    with pytest.raises(InputError, match=r"^train.start is .*regions is windows, not none; set the old value"):
        train_small(tmp_path / "next", *FROZEN, *TOPDOWN, f"train.start={tmp_path / 'run'}")


def test_photos_without_features_are_left_out_of_training_and_counted(tmp_path: Path) -> None:
    file = WRITERS["npz"](tmp_path, computed(tmp_path, splits=("train",), skip=3))
    changes = [*RECURRENT, "regions=precomputed", f"regions.file={file}", "train.max_steps=1"]
    with pytest.raises(InputError, match="6 of 6 validation photos are not in"):
        train_small(tmp_path / "run", *changes)
    file = WRITERS["npz"](tmp_path, computed(tmp_path, skip=3))
    said = " ".join(train_small(tmp_path / "run", *changes).split())
    assert "3 of 24 training photos are not in" in said and "3 no features" in said


def test_what_is_wrong_is_told_before_anything_is_written(tmp_path: Path) -> None:
    made = computed(tmp_path)
    last = list(made)[-1]
    made[last] = (made[last][0][:, :5], None)
    file = WRITERS["npz"](tmp_path, made)
    with pytest.raises(InputError, match=rf"'{last}' is \(\d, 5\), but .* has 9 channels"):
        train_small(tmp_path / "run", *RECURRENT, "regions=precomputed", f"regions.file={file}")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_going_on_with_other_regions_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_small(run, *WINDOWS, *TOPDOWN, "train.max_steps=2")
    with pytest.raises(InputError, match=r"was trained with regions\.pool=max, not mean"):
        train_small(run, *WINDOWS, *TOPDOWN, "train.max_steps=2", "regions.pool=mean", resume=True)
