"""A tiny language model with its tokenizer, in a folder as transformers saves both."""

import atexit
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tests.captioners.huggingface.tiny import byte_pairs, ids

LLAMA = {"hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 2}
GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256}


@cache
def tiny_language_model(family: str = "llama") -> str:
    """The folder, which lies there as long as the tests run."""
    from transformers import AutoConfig, AutoModelForCausalLM

    kept = TemporaryDirectory()
    atexit.register(kept.cleanup)
    folder = Path(kept.name)
    tokenizer = byte_pairs()
    sizes = {"llama": LLAMA, "gpt2": GPT2}[family]
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **sizes, vocab_size=len(tokenizer), **ids(tokenizer))
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
