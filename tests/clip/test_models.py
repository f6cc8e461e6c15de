"""Names of models: what each form loads, and what is refused, in which words."""

import json
import pickle
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from showtell.clip import Clip
from showtell.encoders.clip.from_open_clip import _chosen
from showtell.plumbing.errors import InputError
from tests.clip.tiny import write_tokenizer_in_one_file


def refused(name):
    with pytest.raises(InputError) as error:
        Clip(str(name), device="cpu").load()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.fixture
def architecture(open_clip_folder, tmp_path):
    """The name of the tiny one, made known to open_clip."""
    import open_clip

    config = json.loads((open_clip_folder / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / "showtell-tiny.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "showtell-tiny.json")
    return "showtell-tiny"


@pytest.mark.slow
def test_an_architecture_of_open_clip_takes_a_file(open_clip_folder, architecture, tmp_path):
    weights = load_file(open_clip_folder / "open_clip_model.safetensors")
    torch.save(weights, tmp_path / "weights.pt")
    wanted = Clip(f"open_clip:{open_clip_folder}", device="cpu").embed_texts(["a dog"])
    for file in (open_clip_folder / "open_clip_model.safetensors", tmp_path / "weights.pt"):
        assert torch.equal(Clip(f"open_clip:{architecture}/{file}", device="cpu").embed_texts(["a dog"]), wanted)
    weights.pop("text_projection")
    save_file(weights, tmp_path / "less.safetensors")
    told = refused(f"open_clip:{architecture}/{tmp_path / 'less.safetensors'}")
    assert "cannot be loaded" in told and "text_projection" in told


@pytest.mark.slow
def test_weights_in_half_precision_are_computed_with_in_full(copy, folder):
    weights = load_file(copy / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in weights.items()}, copy / "model.safetensors", {"format": "pt"})
    found, whole = (Clip(str(each), device="cpu").embed_texts(["a dog"]) for each in (copy, folder))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, whole, atol=1e-3, rtol=0)


@pytest.mark.slow
def test_weights_of_pytorch_are_read_as_tensors(copy, folder):
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    found, wanted = (Clip(str(each), device="cpu").embed_texts(["a dog"]) for each in (copy, folder))
    # Where tensors lie in memory may change a last bit: a file that is mapped is not aligned as one that is read.
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


class Evil:
    """A pickle that leaves a file where it is run."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("where", ["transformers", "open_clip"])
def test_nothing_in_a_file_of_weights_is_run(copy, architecture, tmp_path, where):
    content = {"logit_scale": torch.zeros(()), "more": Evil(tmp_path / "trace")}
    if where == "transformers":
        (copy / "model.safetensors").unlink()
        torch.save(content, copy / "pytorch_model.bin")
        told = refused(copy)
    else:
        torch.save(content, tmp_path / "evil.pt")
        told = refused(f"open_clip:{architecture}/{tmp_path / 'evil.pt'}")
        (tmp_path / "old.pt").write_bytes(pickle.dumps(content["more"], protocol=2))
        refused(f"open_clip:{architecture}/{tmp_path / 'old.pt'}")
    assert "cannot be loaded" in told
    assert not (tmp_path / "trace").exists()


def test_code_that_comes_with_a_model_is_not_run(copy, tmp_path):
    config = json.loads((copy / "config.json").read_text())
    (copy / "mine.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w')\n")
    config |= {"auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}, "model_type": "mine"}
    (copy / "config.json").write_text(json.dumps(config))
    assert "cannot be loaded" in refused(copy)
    assert not (tmp_path / "trace").exists()


def test_missing_weights_are_not_drawn_at_random(copy):
    weights = load_file(copy / "model.safetensors")
    weights.pop("text_projection.weight")
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    assert refused(copy) == f"clip {str(copy)!r} lacks 1 tensors of its weights (first: text_projection.weight)"


def test_a_folder_that_is_no_clip_is_refused(copy, tmp_path):
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 6, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 7}
    BertModel(BertConfig(vocab_size=9, **sizes)).save_pretrained(tmp_path / "bert")
    assert "is a bert and no CLIP: it does not embed photos and texts" in refused(tmp_path / "bert")
    assert "is a folder without config.json" in refused(tmp_path)
    assert "is a folder without open_clip_config.json" in refused(f"open_clip:{copy}")
    for name in ("preprocessor_config.json", "vocab.json", "merges.txt"):
        (copy / name).unlink()
    assert "cannot be loaded" in refused(copy)


@pytest.mark.slow
def test_a_tokenizer_of_another_model_is_refused(copy, tmp_path):
    path = write_tokenizer_in_one_file(copy)
    config = json.loads(path.read_text())
    config["added_tokens"].append({**config["added_tokens"][-1], "id": 49408, "content": "<another>"})
    path.write_text(json.dumps(config))
    assert "has a tokenizer of 49,409 tokens, but weights for only 49,408" in refused(copy)


def test_a_damaged_file_is_one_line(copy):
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "cannot be loaded" in refused(copy)
    (copy / "config.json").write_text("{")
    assert "cannot be loaded" in refused(copy)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c", ""])
def test_a_path_that_leads_nowhere_is_no_hub_id(libraries, name):
    assert "is no folder and no hub id, such as openai/clip-vit-base-patch32" in refused(name)


def test_a_file_is_no_model_of_transformers(libraries, tmp_path):
    (tmp_path / "clip.pt").write_bytes(b"")
    assert "is a file; for weights of open_clip write open_clip:ARCHITECTURE/FILE" in refused(tmp_path / "clip.pt")


@pytest.mark.parametrize(
    "name", ["openai/clip-vit-base-patch32", "open_clip:ViT-B-32/laion2b_s34b_b79k", "open_clip:hf-hub:some/one"]
)
def test_without_a_hub_the_error_comes_at_once(libraries, name):
    told = f"clip {name!r} is not in the local cache, and the hub is out of reach; "
    assert refused(name).startswith(told + "name a local folder or file instead")


def test_names_of_open_clip_are_looked_up(libraries):
    assert "does not name an architecture of open_clip (did you mean ViT-B-32?)" in refused("open_clip:ViT-B32/openai")
    told = refused("open_clip:ViT-B-32/laion3b")
    assert "names no weights: ViT-B-32 has openai, laion400m_e31, " in told and "a file after the slash" in told
    assert "names no weights: ViT-B-32 has openai, " in refused("open_clip:ViT-B-32")


def test_openais_weights_get_the_activation_that_they_were_made_with(libraries, monkeypatch):
    import open_clip

    monkeypatch.setattr("showtell.encoders.clip.from_open_clip.check_hub", lambda name, repository: None)
    assert _chosen(open_clip, "open_clip:ViT-B-32/openai") == ("ViT-B-32", "openai", True)
    assert _chosen(open_clip, "open_clip:ViT-B-32-quickgelu/openai") == ("ViT-B-32-quickgelu", "openai", True)
    assert _chosen(open_clip, "open_clip:ViT-B-32/laion2b_s34b_b79k") == ("ViT-B-32", "laion2b_s34b_b79k", False)


@pytest.mark.parametrize(
    ("name", "library"), [("openai/clip-vit-base-patch32", "transformers"), ("open_clip:RN50/openai", "open_clip")]
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(monkeypatch, name, library):
    monkeypatch.setitem(sys.modules, library, None)
    told = f"clip {name!r} is a model of {library}, which is not installed; pip install 'showtell[clip]'"
    assert refused(name) == told
