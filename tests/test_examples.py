"""Every example runs as its reader would run it, in a folder of its own."""

import re
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

import showtell
from showtell.loading import packaged_models
from tests.report.small import small_captioner

EXAMPLES = Path(__file__).parent.parent / "examples"
PRINTED = {  # what each of them must say
    "attention_map.py": "attention.png",
    "caption_photos.py": "chelsea.png: ",
    "my_encoder.py": "trained: runs/mine",
    "score_captions.py": "BLEU-4 ",
    "train_scenes.py": "test-00005.png: ",
}
NEEDS_TINY = ("attention_map.py", "caption_photos.py")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run an example with arguments in an empty folder and give what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(showtell.ENCODERS, "mine", showtell.Encoder)  # so that it is gone again afterwards

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_every_example_is_run():
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.suffix == ".py") == sorted(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_uses_only_the_public_doors(name):
    text = (EXAMPLES / name).read_text("utf-8")
    assert "\nimport showtell\n" in text and not re.search(r"\b(from|import) showtell\.", text)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTED)
def test_an_example_runs_as_it_is(run, name):
    if name in NEEDS_TINY and "tiny" not in packaged_models():
        pytest.skip("the packaged model is not there")
    assert PRINTED[name] in run(name)


@pytest.mark.slow
def test_photos_and_a_model_of_ones_own_are_explained(run, tmp_path):
    Image.new("RGB", (50, 30), "red").save(tmp_path / "mine.png")
    small_captioner().save_pretrained("model")
    assert run("attention_map.py", "mine.png", "model").endswith(": attention.png\n")
    assert Image.open("attention.png").width > 300
