"""The names of a language model's linear maps, by what they do. Families of transformers have their own names."""

from typing import Any

from torch import nn

from showtell.decoders.language import Language

INPUTS = ("q_proj", "k_proj", "v_proj", "qkv_proj", "query_key_value", "c_attn", "Wqkv")
ATTENTION = ("self_attn", "attn", "attention", "self_attention")  # what a layer calls its attention
MLP_LAST = ("down_proj", "fc2", "c_proj", "dense_4h_to_h", "fc_out", "w2")


def find(model: Any, words: nn.Embedding) -> Language:
    """Sort the linear maps of all layers into inputs and outputs of attention, and those of the MLP."""
    inputs: list[str] = []
    linear: list[str] = []
    outputs: list[str] = []
    mlp_outputs: list[str] = []
    for name, module in model.base_model.named_modules():
        if not _is_linear(module) or not any(part.isdecimal() for part in name.split(".")):
            continue
        path = name.split(".")
        full = f"model.{model.base_model_prefix}.{name}"
        linear.append(full)
        if path[-1] in INPUTS:
            inputs.append(full)
        elif path[-2] in ATTENTION:
            outputs.append(full)
        elif path[-1] in MLP_LAST:
            mlp_outputs.append(full)
    config = model.config
    heads, dim = config.num_attention_heads, words.weight.shape[1]
    return Language(
        inputs=tuple(inputs),
        linear=tuple(linear),
        outputs=tuple(outputs),
        mlp_outputs=tuple(mlp_outputs),
        new=("visual",),
        tied=("lm_head", "embed_out", "embed_tokens", "wte", "embed_in"),
        layers=config.num_hidden_layers,
        heads=getattr(config, "num_key_value_heads", None) or heads,
        width=getattr(config, "head_dim", None) or getattr(config, "hidden_size", dim) // heads,
        words=words,
    )


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"  # GPT-2's, stored transposed
