"""What a training refuses, or says, before its first step."""

import json
import sys

import pytest
from PIL import Image

from showtell.cli import main
from showtell.decoders import DECODERS, Transformer
from showtell.plumbing.errors import InputError, RecipeError
from tests.small import FROZEN, train_small, write_karpathy
from tests.training.short import STILL


@pytest.mark.slow
def test_an_unreadable_photo_is_left_out_before_training(tmp_path):
    overrides = write_karpathy(tmp_path / "data")
    photo = sorted((tmp_path / "data" / "images").iterdir())[0]
    photo.write_bytes(photo.read_bytes()[:100])
    said = train_small(tmp_path / "run", *overrides)
    wanted = f"1 of 4 training photos cannot be read: 1 truncated (first: {photo.name}); skipped"
    assert wanted in " ".join(said.split())
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.slow
def test_options_without_effect_are_told(tmp_path):
    options = ["loss=self_critical", "loss.samples=2", "train.captions_per_image=3"]
    said = train_small(tmp_path / "run", *FROZEN, *options, "train.milestones=[1]", "train.pretrained_lr=1e-4")
    assert "train.captions_per_image=3 has no effect, because loss is self_critical" in said
    assert "train.milestones=[1] has no effect, because train.schedule is cosine" in said
    said = train_small(
        tmp_path / "other", *FROZEN, "loss.teacher_share=0.3", "loss.truth=0.5", "train.pretrained_lr=1e-4"
    )
    assert "loss.teacher_share=0.3 has no effect, because there is no loss.teacher" in said
    assert "loss.truth=0.5 has no effect, because loss.scheduled_sampling is none" in said
    assert "train.pretrained_lr=0.0001 has no effect, because no pretrained part trains" in said


def test_a_split_of_which_no_photo_can_be_read_is_named(tmp_path):
    overrides = write_karpathy(tmp_path / "data")
    for photo in (tmp_path / "data" / "images").glob("val-*"):
        photo.write_bytes(b"no photo")
    with pytest.raises(InputError, match=r"^2 of 2 validation photos cannot be read: 2 not an image"):
        train_small(tmp_path / "run", *overrides)


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_caption_that_is_too_long_for_the_decoder_is_refused_before_a_step(tmp_path, split):
    overrides = write_karpathy(tmp_path / "data")
    source = tmp_path / "data" / "dataset_small.json"
    content = json.loads(source.read_text())
    next(image for image in content["images"] if image["split"] == split)["sentences"][1] = {"raw": "a star " * 20}
    source.write_text(json.dumps(content))
    with pytest.raises(InputError) as error:
        train_small(tmp_path / "run", *overrides, "decoder.max_length=40")
    assert (error.value.key, error.value.value) == ("decoder.max_length", 40)
    assert "41 tokens with its bos" in str(error.value) and "use decoder.max_length=41" in str(error.value)
    assert not (tmp_path / "run").exists()
    train_small(tmp_path / "run", *overrides, "decoder.max_length=41", "train.max_steps=1")


@pytest.mark.slow
@pytest.mark.parametrize("encoder", [[], FROZEN], ids=["trained", "frozen"])
def test_regions_that_do_not_fit_the_grid_leave_no_folder_behind(tmp_path, encoder):
    topdown = [*encoder, "decoder=topdown", "decoder.dim=8", "train.max_steps=1"]
    with pytest.raises(RecipeError, match=r"^decoder.regions is 10; .*set decoder.regions=\d+, ") as told:
        train_small(tmp_path / "run", *topdown)
    assert not (tmp_path / "run").exists()
    count = str(told.value).split("decoder.regions=")[1].split(",")[0]
    train_small(tmp_path / "run", *topdown, f"decoder.regions={count}")


def test_data_without_captions_to_train_on_is_refused(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "photo.png")
    with pytest.raises(InputError) as error:
        train_small(tmp_path / "run", "data=folder", f"data.root={tmp_path}")
    assert (error.value.key, error.value.value) == ("data.name", "folder") and "no captioned" in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_run_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as error:
        train_small(tmp_path / "file" / "run", *FROZEN)
    told = f"--run {tmp_path}/file/run cannot be made: {tmp_path}/file is not a folder; name another"
    assert str(error.value) == told


@pytest.mark.parametrize(
    ("option", "module", "told"),
    [
        ("train.wandb=offline", "wandb", "train.wandb is 'offline'; it needs: pip install 'showtell[wandb]'"),
        (
            "train.tensorboard=true",
            "torch.utils.tensorboard",
            "train.tensorboard is true; it needs: pip install 'showtell[tensorboard]'",
        ),
    ],
)
def test_a_missing_extra_is_told_before_anything_is_made(tmp_path, monkeypatch, option, module, told):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RecipeError) as error:
        train_small(tmp_path / "run", *STILL, option)
    assert str(error.value) == told
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("decoder", [["decoder.sees=pooled"], ["decoder=recurrent"]], ids=" ".join)
def test_a_decoder_without_attention_cannot_even_it_out(tmp_path, monkeypatch, capsys, decoder):
    monkeypatch.setattr("showtell.training.setup._sources", lambda *a: pytest.fail("photos were encoded"))
    run = tmp_path / "run"
    monkeypatch.setattr("sys.argv", ["showtell", "train", "scenes", *decoder, "loss.attend_all=1", "--run", str(run)])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and not run.exists()
    assert said.startswith("error: loss.attend_all is 1.0") and "decoder=attend" in said


class Padded(Transformer):
    """Logits for rows that the tokenizer does not have."""

    def __init__(self, feature_dim: int, vocabulary_size: int, *, dim: int = 8) -> None:
        super().__init__(feature_dim, vocabulary_size + 3, dim=dim, layers=1, heads=2)


def test_a_decoder_with_more_logits_than_tokens_is_refused_before_a_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setitem(DECODERS, "padded", Padded)
    with pytest.raises(RecipeError, match="logits") as caught:
        train_small(tmp_path / "run", *FROZEN, "decoder=padded")
    assert caught.value.key == "decoder.name" and not (tmp_path / "run").exists()
