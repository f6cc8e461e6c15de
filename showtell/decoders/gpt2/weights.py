"""Weights of GPT-2 in the layouts that exist -> the names and shapes of our decoder.

Three layouts hold the same tensors: OpenAI's names without prefix (`h.0.attn.c_attn.weight`, as in Taipei's
`decoder_model.bin`), with the prefix `transformer.` (GPT2LMHeadModel), and with `decoder.transformer.`
(VisionEncoderDecoderModel). All store the weight of a linear map as (inputs, outputs); ours is (outputs, inputs).
The transposed weight of a square map has the same shape, so tests compare values.
"""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import at_home
from showtell.plumbing.hub import local_copy
from showtell.plumbing.reading import read_json
from showtell.plumbing.weights import check_fit, read_weights

KEY = "decoder.weights"
RANDOM = "random"
SMALL = {"dim": 768, "layers": 12, "heads": 12, "max_length": 1024}  # GPT-2 small
SUFFIXES = (".bin", ".pth", ".pt", ".safetensors")
FILES = ("config.json", "*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin*")
SAVED = ("model.safetensors", "pytorch_model.bin")  # files that transformers saves beside a config
PREFIX = re.compile(r"^(decoder\.)?(transformer\.)?(?=(wte|wpe|h|ln_f|lm_head)\.)")
UNUSED = re.compile(r"\.(cross)?att(entio)?n\.(masked_)?bias$")  # triangles of ones, which are no weights
COMPUTES: dict[str, tuple[Any, ...]] = {  # the keys of a config that change what is computed: what this GPT-2 can do
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
}
NAMES = {  # the name in the files -> ours
    "wte": "words",
    "wpe": "positions",
    "ln_f": "norm",
    "ln_1": "self_norm",
    "attn.c_attn": "self_attention.qkv",
    "attn.c_proj": "self_attention.out",
    "ln_cross_attn": "cross_norm",
    "crossattention.q_attn": "cross_attention.query",
    "crossattention.c_proj": "cross_attention.out",
    "ln_2": "mlp_norm",
    "mlp.c_fc": "mlp.0",
    "mlp.c_proj": "mlp.3",
}


class Source(NamedTuple):
    """Tensors by our names, what they are called for people, and how many heads their config says there are."""

    tensors: dict[str, Tensor]
    name: str
    heads: int | None

    @property
    def rows(self) -> int:
        """The number of words in the embedding."""
        return len(self.tensors["words.weight"])


class Sizes(NamedTuple):
    dim: int
    layers: int
    heads: int
    max_length: int

    @classmethod
    def of(cls, given: dict[str, int | None], source: Source | None) -> "Sizes":
        """What the recipe gives, else what the weights have, else GPT-2 small's. Raises RecipeError if they differ."""
        known: dict[str, int] = {}
        if source is not None:
            known = {"dim": source.tensors["words.weight"].shape[1], "layers": _layers(source.tensors)}
            known["max_length"] = len(source.tensors["positions.weight"])
            if source.heads is not None:
                known["heads"] = source.heads
        for name, size in known.items():
            if given[name] not in (None, size):
                wrong = f"is {given[name]}, and {source.name if source else ''} has {size}"
                raise RecipeError(wrong, key=f"decoder.{name}", value=given[name], advice="remove it from the recipe")
        sizes = cls(**{name: known.get(name) or given[name] or small for name, small in SMALL.items()})
        if sizes.dim % sizes.heads:
            takes = f"multiples of decoder.heads ({sizes.heads})"
            raise RecipeError(key="decoder.dim", value=sizes.dim, takes=takes)
        return sizes


def read(name: str) -> Source:
    """A file, or a folder or Hub repository as transformers saves it. Raises InputError if it holds no GPT-2."""
    path = at_home(name, KEY)
    if path.is_file() or path.suffix in SUFFIXES:
        heads = _heads(path.with_name("config.json"), name) if path.name in SAVED else None
        return Source(_ours(read_weights(path, KEY), name), name, heads)
    folder = local_copy(name, KEY, FILES, f"take {KEY}=random, or decoder=language_model with a model that is here")
    tensors: dict[str, Tensor] = {}
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not files:
        wrong = f"is {name}, a folder without weights"
        raise InputError(wrong, key=KEY, value=name, takes="a folder with model.safetensors or pytorch_model.bin")
    for file in files:
        tensors |= read_weights(file, KEY)
    return Source(_ours(tensors, name), name, _heads(folder / "config.json", name))


def _heads(path: Path, name: str) -> int | None:
    if not path.exists():
        return None
    try:
        config = read_json(path)
    except InputError as error:
        raise InputError(f"is {name}, whose config.json {error.wrong}", key=KEY, value=name) from None
    config = config.get("decoder", config) if isinstance(config, dict) else {}
    heads = config.get("n_head")
    kind = config.get("model_type", "gpt2")
    if kind != "gpt2" or not isinstance(heads, int | None):
        wrong = f"is {name}, a model of type {kind!r}"
        raise InputError(wrong, key=KEY, value=name, advice="decoder=language_model takes models of other types")
    _check_computes(config, name)
    return heads


def _check_computes(config: dict[str, Any], name: str) -> None:
    """Raise InputError if a GPT-2 computes otherwise than ours, which the shapes of its weights do not show."""
    for key, allowed in COMPUTES.items():
        if key in config and config[key] not in allowed:
            takes = f"weights with {key} {' or '.join(json.dumps(value) for value in allowed)}"
            wrong = f"is {name}, whose config.json has {key} {json.dumps(config[key])}"
            advice = f"take decoder=language_model decoder.model={name}"
            raise InputError(wrong, key=KEY, value=name, takes=takes, advice=advice)


def _ours(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors by our names, maps turned. Raises InputError if they are no GPT-2."""
    found: dict[str, Tensor] = {}
    for full, tensor in tensors.items():
        short = PREFIX.sub("", full)
        if UNUSED.search(short):
            continue
        if full.startswith(("encoder.", "enc_to_dec_proj.")):  # the other half of a VisionEncoderDecoderModel
            continue
        if short != "lm_head.weight":
            found |= _renamed(short, tensor)
    head, words = tensors.get("lm_head.weight"), found.get("words.weight")
    if words is None or "positions.weight" not in found:
        missing = "wte.weight" if words is None else "wpe.weight"
        first = ", ".join(list(tensors)[:3])
        wrong = f"is {name}, in which {missing} is missing (it begins with {first})"
        raise InputError(wrong, key=KEY, value=name, takes="weights of a GPT-2")
    if head is not None and (head.shape != words.shape or not bool((head == words).all())):
        wrong = f"is {name}, whose lm_head is not tied to its embedding"
        raise InputError(wrong, key=KEY, value=name, takes="a GPT-2 with tied embeddings")
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in found.items()}


def _renamed(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """One tensor of a file -> one of ours, or two: keys and values of cross-attention are one map in the files."""
    layer = re.match(r"h\.(\d+)\.(.+)", name)
    begin, rest = (f"blocks.{layer[1]}.", layer[2]) if layer else ("", name)
    part, _, kind = rest.rpartition(".")
    is_map = kind == "weight" and part.rpartition(".")[2].startswith(("c_", "q_attn"))
    tensor = tensor.T.contiguous() if is_map and tensor.ndim == 2 else tensor
    if part == "crossattention.c_attn":
        key, value = tensor.chunk(2)
        return {f"{begin}cross_attention.key.{kind}": key, f"{begin}cross_attention.value.{kind}": value}
    return {f"{begin}{NAMES.get(part, part)}.{kind}": tensor}


def _layers(tensors: dict[str, Tensor]) -> int:
    return 1 + max((int(name.split(".")[1]) for name in tensors if name.startswith("blocks.")), default=-1)


def fill(decoder: nn.Module, source: Source, vocabulary_size: int) -> None:
    """Put the weights into the decoder. New parts may be missing in the file: the map of the image, cross-attention.

    Raises InputError that lists what is missing, what is left over, and what has another shape.
    """
    spare = source.rows - vocabulary_size
    if spare < 0 or spare >= 1024:  # some files pad their table of words
        wrong = f"is {source.name}, which has {source.rows:,} words, and the tokenizer has {vocabulary_size:,}"
        raise InputError(wrong, key=KEY, value=source.name, advice="take its own tokenizer: tokenizer=gpt2")
    wanted = decoder.state_dict()
    crossed = any(".cross_" in name for name in source.tensors)
    wanted = {name: tensor for name, tensor in wanted.items() if not name.startswith("visual.")}
    if not crossed:
        wanted = {name: tensor for name, tensor in wanted.items() if ".cross_" not in name}
    advice = "check decoder.layers, decoder.cross_layers and decoder.cross_dim" if crossed else "check the file"
    check_fit(wanted, source.tensors, KEY, source.name, "this GPT-2", advice)
    decoder.load_state_dict(source.tensors, strict=False)
