"""LoRA and prefix tuning equal the library peft on copied weights; LoRA merges exactly."""

import pytest
import torch
from torch.testing import assert_close

from showtell.decoders.gpt2 import GPT2
from showtell.peft import PEFT
from showtell.peft.lora import LoRA, merge, unmerge
from showtell.plumbing.torchvision_repair import repair_torchvision
from tests.decoders.families import save
from tests.decoders.test_gpt2 import SIZES, D, V, features, logits_of, theirs, words

repair_torchvision()
peft = pytest.importorskip("peft", reason="the library to compare with is not installed")

LAYERS, HEADS, WIDTH = SIZES["n_layer"], SIZES["n_head"], SIZES["n_embd"] // SIZES["n_head"]
PLACES = {"c_attn": "self_attention.qkv", "attn.c_proj": "self_attention.out", "c_fc": "mlp.0", "mlp.c_proj": "mlp.3"}


def ours(tmp_path, way, **options):
    """GPT-2 without cross-attention's influence: its output starts at zero."""
    theirs(cross=False).save_pretrained(tmp_path)
    torch.manual_seed(2)
    decoder = GPT2(D, V, weights=str(tmp_path))
    PEFT[way](decoder, **options)
    return decoder.eval()


@pytest.mark.parametrize("targets", [["c_attn"], ["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"]])
@pytest.mark.parametrize("stabilised", [False, True])
@torch.no_grad()
def test_lora_is_that_of_peft(tmp_path, targets, stabilised):
    settings = peft.LoraConfig(r=3, lora_alpha=5, target_modules=targets, use_rslora=stabilised, fan_in_fan_out=True)
    model = peft.get_peft_model(theirs(cross=False), settings).eval()
    scaling = "alpha/sqrt(r)" if stabilised else "alpha/r"
    chosen = tuple(PLACES[target] for target in targets)
    decoder = ours(tmp_path, "lora", rank=3, alpha=5.0, targets=chosen, scaling=scaling)
    torch.manual_seed(5)
    state = dict(model.named_parameters())
    for i in range(LAYERS):
        for target in targets:
            their_name = target if "." in target else f"{'attn' if target == 'c_attn' else 'mlp'}.{target}"
            name = f"base_model.model.transformer.h.{i}.{their_name}"
            change = decoder.get_submodule(f"blocks.{i}.{PLACES[target]}").lora
            for ours_, theirs_ in ((change.down, "lora_A"), (change.up, "lora_B")):
                value = torch.randn(ours_.shape) * 0.3
                ours_.copy_(value)
                state[f"{name}.{theirs_}.default.weight"].copy_(value)
    tokens = words()
    wanted = model(tokens.flatten(0, 1)).logits
    assert_close(logits_of(decoder, features(), tokens).flatten(0, 1), wanted, rtol=1e-5, atol=1e-5)
    merge(decoder)
    merged = model.merge_and_unload()(tokens.flatten(0, 1)).logits
    assert_close(logits_of(decoder, features(), tokens).flatten(0, 1), merged, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_lora_starts_as_that_of_peft_does(tmp_path):
    decoder = ours(tmp_path, "lora", rank=3)
    for module in decoder.modules():
        if isinstance(module, LoRA):
            assert module.scale == 1 and module.lora.up.eq(0).all()
            bound = 1 / module.in_features**0.5  # Kaiming's, uniform with a = sqrt 5
            assert module.lora.down.abs().max() <= bound and module.lora.down.std() > bound / 3


@pytest.mark.parametrize("hidden", [None, 5])
@torch.no_grad()
def test_a_prefix_is_that_of_peft(tmp_path, hidden):
    settings = peft.PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=4, prefix_projection=hidden is not None, encoder_hidden_size=hidden
    )
    model = peft.get_peft_model(theirs(cross=False), settings).eval()
    decoder = ours(tmp_path, "prefix", length=4, hidden=hidden)
    encoder = model.prompt_encoder.default
    assert sum(p.numel() for p in decoder.learned.parameters()) == sum(p.numel() for p in encoder.parameters())
    torch.manual_seed(5)
    for name, parameter in encoder.named_parameters():
        torch.nn.init.normal_(parameter, std=0.4)
        copied = "vectors" if name == "embedding.weight" else name.replace("transform.", "network.")
        decoder.learned.get_parameter(copied).copy_(parameter)
    tokens = words()
    wanted = model(tokens.flatten(0, 1)).logits
    assert_close(logits_of(decoder, features(), tokens).flatten(0, 1), wanted, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_prompt_is_that_of_peft(tmp_path):
    settings = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    model = peft.get_peft_model(theirs(cross=False), settings).eval()
    decoder = ours(tmp_path, "prompt", length=4)
    decoder.learned.vectors.copy_(model.prompt_encoder.default.embedding.weight)
    tokens = words()
    wanted = model(tokens.flatten(0, 1)).logits[:, 4:]
    assert_close(logits_of(decoder, features(), tokens).flatten(0, 1), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2", "phi3"])
@torch.no_grad()
def test_merged_equals_unmerged_and_unmerging_is_exact(tmp_path, family):
    from showtell.decoders.language_model import LanguageModel

    decoder = LanguageModel(D, 11, model=save(family, tmp_path)).eval()
    PEFT["lora"](decoder, rank=3, targets=("all",))
    for module in decoder.modules():
        if isinstance(module, LoRA):
            torch.nn.init.normal_(module.lora.up, std=0.3)
    tokens, seen = words() % 11, features()
    before = logits_of(decoder, seen, tokens)
    names = set(decoder.state_dict())
    merge(decoder)
    assert_close(logits_of(decoder, seen, tokens), before, rtol=1e-4, atol=1e-4)
    assert set(decoder.state_dict()) == names
    unmerge(decoder)
    assert torch.equal(logits_of(decoder, seen, tokens), before)
