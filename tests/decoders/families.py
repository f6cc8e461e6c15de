"""Small random language models of many families, saved as transformers saves them."""

from functools import cache
from pathlib import Path

import torch

from showtell.plumbing.torchvision_repair import repair_torchvision

repair_torchvision()

from transformers import AutoConfig, AutoModelForCausalLM  # noqa: E402

V = 11
COMMON = {"vocab_size": V, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
COMMON |= {"intermediate_size": 20, "max_position_embeddings": 64}
IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
GROUPED = {"num_key_value_heads": 2}
FAMILIES = {
    "gpt2": {"vocab_size": V, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 64},
    "llama": COMMON | GROUPED,
    "qwen3": COMMON | GROUPED | {"head_dim": 6},
    "opt": COMMON | {"ffn_dim": 20, "word_embed_proj_dim": 16},
    "gpt_neox": COMMON,
    "phi3": COMMON | GROUPED,
    "qwen2": COMMON | GROUPED,
    "mistral": COMMON | GROUPED | {"sliding_window": None},
    "granite": COMMON | GROUPED | {"logits_scaling": 3.0, "embedding_multiplier": 2.0},
    "cohere": COMMON | GROUPED | {"logit_scale": 0.25},
}


@cache
def model_of(family, **changes):
    torch.manual_seed(3)
    config = AutoConfig.for_model(family, **(FAMILIES[family] | IDS | dict(changes)))
    model = AutoModelForCausalLM.from_config(config).eval()
    for name, parameter in model.named_parameters():
        if "norm" not in name and "ln_" not in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def save(family, folder: Path, **changes) -> str:
    """The folder's name."""
    model_of(family, **changes).save_pretrained(folder)
    return str(folder)
