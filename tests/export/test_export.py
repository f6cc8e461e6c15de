"""`showtell export`: the runner says what torch says, and what it cannot do is refused before anything is written."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from showtell.cache import encode
from showtell.captioners.neural import Neural
from showtell.data.images import open_image
from showtell.data.scenes.scenes import scenes
from showtell.export import run as runner
from showtell.export.graphs import graphs
from showtell.export.words import spell, text_form
from showtell.export.write import _features, export, settings_of
from showtell.plumbing.errors import RecipeError
from showtell.recipe.build import build, build_encoder, build_neural
from tests.small import RECIPE, small_recipe

DECODERS = {
    "recurrent": ["decoder=recurrent", "decoder.dim=12", "decoder.embedding_dim=10"],
    "gru": ["decoder=recurrent", "decoder.cell=gru", "decoder.conditioning=every_step", "decoder.dim=12"],
    "attend": ["decoder=attend", "decoder.dim=12", "decoder.embedding_dim=10", "decoder.attention_dim=8"],
    "topdown": ["decoder=topdown", "decoder.regions=16", "decoder.dim=12", "decoder.image_dim=10"],
    "transformer": [],
    "prefix": ["decoder.conditioning=prefix", "tokenizer.prompt=a"],
    "gpt2": ["decoder=gpt2", "decoder.weights=random", "decoder.dim=16", "decoder.layers=2", "decoder.heads=2"],
}


def captioner_of(*overrides):
    """An untrained captioner with large random weights, so that its captions differ from photo to photo."""
    recipe = small_recipe(*overrides)
    texts = [text for record in records() for text in record.references]
    torch.manual_seed(1)
    captioner: Neural = build_neural(recipe, build_encoder(recipe), build(recipe, "tokenizer").fit(texts))
    for parameter in captioner.decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    captioner.encoder.eval()
    captioner.decoder.eval()
    with torch.no_grad():
        captioner.decoder.fit(encode(captioner.encoder, [open_image(record.path) for record in records()[:9]]))
    return captioner


def records():
    return scenes(**{name: value for name, value in RECIPE["data"].items() if name != "name"})


@torch.no_grad()
def runner_of(captioner):
    """The runner over torch's own modules: no ONNX is written."""
    made = graphs(captioner.encoder, captioner.decoder, _features(captioner))
    found = runner.Captioner.__new__(runner.Captioner)
    found.settings = settings_of(captioner)

    def call(name, inputs):
        graph = made[name]
        given = [torch.from_numpy(np.ascontiguousarray(inputs[each])) for each in graph.inputs]
        with torch.no_grad():
            return dict(zip(graph.outputs, [part.numpy() for part in graph.module(*given)], strict=True))

    found.call = call
    return found


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize(
    "decode",
    [
        ["decode=greedy", "decode.max_length=9"],
        ["decode.num_beams=3", "decode.length_penalty=0.7", "decode.no_repeat_ngram_size=2"],
        ["decode.num_beams=4", "decode.min_length=6", "decode.must_not=[red, a blue]", "decode.max_length=8"],
    ],
    ids=["greedy", "beam", "limits"],
)
def test_the_runner_searches_as_showtell_does(name, decode):
    captioner = captioner_of(*DECODERS[name], *decode)
    photos = [record.path for record in records()[:7]]
    wanted = [caption.text for caption in captioner.caption(photos)]
    assert runner_of(captioner).caption(photos, batch=4) == wanted
    assert len(set(wanted)) > 1 or name == "prefix"  # whose words drown the image if all weights are large


@pytest.mark.slow
@pytest.mark.parametrize("name", DECODERS)
def test_exported_graphs_caption_as_torch_does(name, tmp_path):
    captioner = captioner_of(*DECODERS[name])
    export(captioner, tmp_path / "onnx", say=str)
    photos = [record.path for record in records()[:9]]
    wanted = [caption.text for caption in captioner.caption(photos)]
    assert runner.Captioner(tmp_path / "onnx", threads=1).caption(photos, batch=4) == wanted


@pytest.mark.slow
def test_tiny_is_exported_with_bytes_and_runs_without_showtell(tmp_path):
    command = [sys.executable, "-m", "showtell", "export", "tiny", "--int8", "--out", tmp_path / "onnx"]
    subprocess.run(command, check=True)
    photo = records()[0].path
    blind = "import sys; sys.modules['torch'] = sys.modules['showtell'] = None; import runpy; sys.argv = sys.argv[1:]; "
    blind += "runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", blind, tmp_path / "onnx" / "run.py", photo], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith(f"{photo}: a ") and (tmp_path / "onnx/step.onnx").stat().st_size < 5_000_000
    again = subprocess.run([*command[:-2], "--out", tmp_path], capture_output=True, text=True)
    assert again.returncode == 2 and "--out" in again.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "gpt2", "sentencepiece"])
def test_ids_become_the_same_text(name):
    texts = [f"a dog's t-shirt, number {i} (red) . don't" for i in range(40)]
    options = ["tokenizer.vocabulary_size=60"] if name == "sentencepiece" else []
    tokenizer = build(small_recipe(f"tokenizer={name}", *options), "tokenizer").fit(texts)
    ids = tokenizer.encode(texts[3])
    assert spell(json.loads(json.dumps(text_form(name, tokenizer))), ids) == tokenizer.decode(ids)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["decode=sample"], "decode.name"),
        (["decode.must=[red]"], "decode.must"),
        (["captioner.views=mirrored"], "captioner.views"),
    ],
)
def test_what_the_runner_cannot_do_is_refused(overrides, key, tmp_path):
    with pytest.raises(RecipeError, match=key):
        export(captioner_of(*overrides), tmp_path / "onnx", say=str)
    assert not list(tmp_path.iterdir())


def test_the_runner_is_a_short_file_that_imports_no_torch():
    source = importlib.util.find_spec("showtell.export.run").loader.get_source("showtell.export.run")
    assert "torch" not in source and "showtell" not in source and len(source.splitlines()) < 160
