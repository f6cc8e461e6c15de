"""The two sides of the benchmark `generate`: Showtell's beam search and transformers' `generate`, on the same weights.

`python -m benchmarks.sides KIND SIDE DTYPE FOLDER [--quick]` captions once and prints the process's peak of memory.
"""

import argparse
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from showtell.decode import beam
from showtell.decoders.decoder import Decoder
from showtell.decoders.gpt2 import GPT2
from showtell.decoders.language_model import LanguageModel
from showtell.decoders.language_model.maps import Map, linear
from showtell.features import Features
from showtell.plumbing.torchvision_repair import repair_torchvision
from showtell.tokenizers.captions import Special

DTYPES = {"fp32": torch.float32, "autocast": torch.float32, "bf16": torch.bfloat16}  # of the weights
BEAMS, WORDS = 5, 20
Captions = Callable[[], Tensor]  # captions anew: B WORDS ids, without bos


class Sizes(NamedTuple):
    """How many photos, and of how many visual tokens; their channels are those of the model."""

    photos: int
    visual: int
    channels: int


SIZES = {"gpt2": Sizes(16, 197, 768), "language_model": Sizes(16, 49, 576)}
QUICK = {"gpt2": Sizes(2, 5, 32), "language_model": Sizes(2, 5, 32)}
SMALL = {"n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257}
TINY = {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 50}
TINY_LLAMA = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
TINY_LLAMA |= {"intermediate_size": 40, "vocab_size": 50, "bos_token_id": 48, "eos_token_id": 49}


def write_gpt2(folder: Path, quick: bool) -> str:
    """GPT-2 small with cross-attention, drawn so that captions are no repetitions and differ between photos.

    GPT-2's own initialisation has small outputs, so every word would repeat the one before it.
    """
    repair_torchvision()
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = TINY if quick else SMALL
    last = sizes["vocab_size"] - 1
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**sizes, add_cross_attention=True, bos_token_id=last, eos_token_id=last))
    for name, weight in model.named_parameters():
        if name.endswith("c_proj.weight"):
            torch.nn.init.normal_(weight, std=0.1)
        elif name.endswith(("c_fc.weight", "c_attn.weight", "q_attn.weight")):
            torch.nn.init.normal_(weight, std=0.05 if "cross" in name else 0.06)
        elif name.endswith("ln_f.weight"):
            torch.nn.init.constant_(weight, 8.0)
    model.save_pretrained(folder)
    return str(folder)


def write_llama(folder: Path) -> str:
    """A tiny random model, for trying."""
    repair_torchvision()
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**TINY_LLAMA)).save_pretrained(folder)
    return str(folder)


def features(sizes: Sizes, dtype: str) -> Features:
    tokens = torch.randn(*sizes, generator=torch.Generator().manual_seed(1)).to(DTYPES[dtype])
    return Features(tokens, torch.ones(sizes[:2], dtype=torch.bool), tokens.mean(1), torch.zeros(*sizes[:2], 4))


def gpt2_decoder(folder: str, sizes: Sizes) -> GPT2:
    return GPT2(sizes.channels, _config(folder).vocab_size, weights=folder, map="none").eval()


def _config(folder: str) -> Any:
    repair_torchvision()
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder)


def caption(decoder: Decoder, seen: Features, bos: int, eos: int) -> Tensor:
    special = Special(begin=(bos,), eos=eos, pad=eos, suppress=())
    found = beam(decoder, seen, special, num_beams=BEAMS, max_length=WORDS + 1, min_length=WORDS)
    return found.tokens[:, 0, 1:]


def gpt2_ours(folder: str, dtype: str, sizes: Sizes) -> Captions:
    decoder, last = gpt2_decoder(folder, sizes).to(DTYPES[dtype]), _config(folder).eos_token_id
    seen = features(sizes, dtype)
    enabled = dtype == "autocast"

    def work() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            return caption(decoder, seen, last, last)

    return work


def gpt2_theirs(folder: str, dtype: str, sizes: Sizes) -> Captions:
    repair_torchvision()
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder, dtype=DTYPES[dtype]).eval()
    begin = torch.full((sizes.photos, 1), model.config.bos_token_id)
    tokens = features(sizes, dtype).tokens
    return lambda: _generate(model, input_ids=begin, encoder_hidden_states=tokens)[:, 1:]


def _generate(model: Any, **inputs: Tensor) -> Tensor:
    """transformers' beam search with the meaning of ours: sums are not divided, and it stops when no beam can win."""
    eos, read = model.config.eos_token_id, next(iter(inputs.values()))
    inputs["attention_mask"] = torch.ones(read.shape[:2], dtype=torch.long)
    meaning = {"do_sample": False, "length_penalty": 0.0, "early_stopping": "never", "pad_token_id": eos}
    with torch.inference_mode():
        lengths = {"max_new_tokens": WORDS, "min_new_tokens": WORDS - 1}
        found: Tensor = model.generate(**inputs, num_beams=BEAMS, **meaning, **lengths)
    return found


def visual_map(words: Tensor, sizes: Sizes) -> Map:
    """The same for both sides: drawn anew, as loud as the words."""
    torch.manual_seed(2)
    return linear(sizes.channels, words.shape[1], 1, 0, 0, 0.0, float(words.float().std()))


def language_model_ours(folder: str, dtype: str, sizes: Sizes) -> Captions:
    config = _config(folder)
    decoder = LanguageModel(sizes.channels, config.vocab_size, model=folder, map="linear").eval()
    decoder.visual = visual_map(decoder.language.words.weight.detach(), sizes)
    decoder.to(DTYPES[dtype])
    seen = features(sizes, dtype)
    return lambda: caption(decoder, seen, config.bos_token_id, config.eos_token_id)


def language_model_theirs(folder: str, dtype: str, sizes: Sizes) -> Captions:
    """The same vectors in front of bos as input, mapped beforehand: their time is not counted."""
    repair_torchvision()
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[dtype]).eval()
    words = model.get_input_embeddings().weight.detach()
    seen = features(sizes, dtype)
    with torch.inference_mode():
        vectors, _ = visual_map(words, sizes).to(DTYPES[dtype])(seen.tokens, seen.mask)
        bos = words[model.config.bos_token_id].expand(sizes.photos, 1, -1)
        embedded = torch.cat([vectors, bos], dim=1)
    return lambda: _generate(model, inputs_embeds=embedded)


SIDES: dict[tuple[str, str], Callable[[str, str, Sizes], Captions]] = {
    ("gpt2", "ours"): gpt2_ours,
    ("gpt2", "theirs"): gpt2_theirs,
    ("language_model", "ours"): language_model_ours,
    ("language_model", "theirs"): language_model_theirs,
}


def peak() -> float:
    """The most memory that this process had, in MiB."""
    try:  # what `getrusage` returns includes the process that started this one
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sides", description=__doc__)
    parser.add_argument("kind", choices=SIZES)
    parser.add_argument("side", choices=["ours", "theirs"])
    parser.add_argument("dtype", choices=DTYPES)
    parser.add_argument("folder")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    sizes = (QUICK if given.quick else SIZES)[given.kind]
    SIDES[given.kind, given.side](given.folder, given.dtype, sizes)()
    print(peak())


if __name__ == "__main__":
    main()
