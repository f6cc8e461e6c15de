"""A command imports what it needs and no more: that is what a fast start rests on."""

import json
import subprocess
import sys

import pytest
from PIL import Image

import showtell

# What the packaged model needs none of: other encoders, other tokenizers, pictures, metrics' helpers, the hub, logs.
UNUSED = {
    "timm",
    "torchvision",
    "transformers",
    "open_clip",
    "spacy",
    "sentencepiece",
    "matplotlib",
    "skimage",
    "scipy",
    "pandas",
    "sklearn",
    "nltk",
    "h5py",
    "jinja2",
    "huggingface_hub",
    "tensorboard",
    "wandb",
    "rich.progress",
    "torch._dynamo",
    "torch._inductor",
    "torch.utils.tensorboard",
    "sympy",
    "beartype",
}
REPORT = """
import atexit, json, sys
from showtell.cli import main
atexit.register(lambda: open({file!r}, "w").write(json.dumps(sorted(sys.modules))))
sys.argv = ["showtell", *{words!r}]
main()
"""


@pytest.fixture
def imported(tmp_path):
    """`imported("--help")` -> (standard output, the modules that the command imported)."""

    def run(*words):
        code = REPORT.format(file=str(tmp_path / "modules.json"), words=[str(word) for word in words])
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
        return found.stdout, set(json.loads((tmp_path / "modules.json").read_text()))

    return run


@pytest.mark.slow
def test_captioning_a_photo_imports_only_what_the_model_needs(imported, tmp_path):
    Image.effect_noise((300, 240), 60).save(tmp_path / "photo.png")
    said, modules = imported("caption", tmp_path / "photo.png")
    assert said.startswith("photo.png: ")
    assert "torch" in modules and "showtell.encoders.lite.encoder" in modules
    assert sorted(modules & UNUSED) == []


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["caption", "--help"]])
def test_help_and_version_wait_for_neither_torch_nor_numpy(imported, words):
    said, modules = imported(*words)
    assert said
    assert sorted(modules & {"torch", "numpy", "PIL", "yaml", "spacy"}) == []


def test_the_version_is_the_package_s(imported):
    assert imported("--version")[0] == f"showtell {showtell.__version__}\n"
