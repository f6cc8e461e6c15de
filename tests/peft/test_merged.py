"""LoRA in decoding: a loaded captioner computes with merged matrices, and is saved and trained as if it had none."""

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

import showtell
from showtell import checkpoint
from showtell.decoders.gpt2 import GPT2
from showtell.peft.lora import LoRA, lora, merge, unmerge
from tests.decoders.test_gpt2 import D, V, features, folder, logits_of, words  # noqa: F401 - a fixture
from tests.small import train_small
from tests.test_checkpoint_weights import Eye

CHANGES = ["train.epochs=1", "peft=lora", "peft.rank=2", "peft.targets=[all]", "train.lr=0.05"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("lora") / "run"
    train_small(path, *CHANGES)
    return path


def changes_of(decoder):
    return [module for module in decoder.modules() if isinstance(module, LoRA)]


def random_lora(decoder):
    lora(decoder, rank=2, targets=("all",))
    for module in changes_of(decoder):
        torch.nn.init.normal_(module.lora.up)
    return decoder.eval()


def test_a_loaded_run_is_merged_and_says_the_same(run):
    captioner = showtell.load(run)
    assert changes_of(captioner.decoder)
    assert all(module.merged is not None for module in changes_of(captioner.decoder))
    photos = [Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")]
    merged = captioner.caption(photos)
    unmerge(captioner.decoder)
    apart = captioner.caption(photos)
    assert [each.text for each in merged] == [each.text for each in apart]
    assert_close([each.log_prob for each in merged], [each.log_prob for each in apart], rtol=1e-4, atol=1e-4)


def test_a_merged_captioner_saves_the_file_that_training_saved(run, tmp_path):
    showtell.load(run).save_pretrained(tmp_path)
    names = ("recipe.yaml", "model.safetensors")
    before, after = (checkpoint.read_tensors(path / names[1]) for path in (run, tmp_path))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@torch.no_grad()
def test_a_pretrained_decoder_saves_only_what_it_learnt(folder):  # noqa: F811 - the fixture
    decoder = random_lora(GPT2(D, V, weights=str(folder)))
    before = checkpoint.weights(Eye(), decoder)
    merge(decoder)
    assert checkpoint.weights(Eye(), decoder).keys() == before.keys()
    assert any(name.endswith("qkv.lora.up") for name in before)


@torch.no_grad()
def test_training_goes_on_with_weight_and_change_apart(folder):  # noqa: F811 - the fixture
    decoder, seen, tokens = random_lora(GPT2(D, V, weights=str(folder))), features(), words()
    first = logits_of(decoder, seen, tokens)
    merge(decoder)
    decoder.train()
    decoder.eval()
    assert torch.equal(logits_of(decoder, seen, tokens), first)


@torch.no_grad()
def test_weights_that_are_loaded_replace_a_merged_matrix(folder):  # noqa: F811 - the fixture
    decoder, seen, tokens = random_lora(GPT2(D, V, weights=str(folder))), features(), words()
    merge(decoder)
    other = {name: tensor + 0.1 for name, tensor in decoder.state_dict().items() if "lora.up" in name}
    decoder.load_state_dict(other, strict=False)
    changed = logits_of(decoder, seen, tokens)
    merge(decoder)
    assert_close(logits_of(decoder, seen, tokens), changed, rtol=1e-4, atol=1e-4)
