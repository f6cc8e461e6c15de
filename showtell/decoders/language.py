"""The language model inside a decoder, as PEFT sees it: what is frozen, and where new parts may be inserted."""

from typing import NamedTuple

from torch import nn

from showtell.layers.blocks import Blocks


class Language(NamedTuple):
    """Names of modules in the decoder, such as `blocks.0.self_attention.qkv`, and sizes."""

    inputs: tuple[str, ...]  # linear maps that give queries, keys and values of self-attention
    linear: tuple[str, ...]  # all linear maps of the layers: self-attention and MLP
    outputs: tuple[str, ...]  # the last map of each layer's attention: of cross-attention if the layer has one
    mlp_outputs: tuple[str, ...]  # the last map of each layer's MLP
    new: tuple[str, ...]  # parts that see the image; they are not of the language model, and always train
    tied: tuple[str, ...]  # the words' embedding and what shares its weights
    layers: int
    heads: int  # of keys and values
    width: int  # of one head
    words: nn.Embedding


def language_of(blocks: Blocks, words: nn.Embedding, new: tuple[str, ...]) -> Language:
    """The language model of a decoder whose layers are `decoder.blocks` and whose embedding is `decoder.words`."""
    inputs: list[str] = []
    linear: list[str] = []
    outputs: list[str] = []
    for i, block in enumerate(blocks):
        names = [name for name, module in block.self_attention.named_children() if isinstance(module, nn.Linear)]
        attention = [f"blocks.{i}.self_attention.{name}" for name in names if name != "out"]
        inputs += attention
        linear += [*attention, f"blocks.{i}.self_attention.out", f"blocks.{i}.mlp.0", f"blocks.{i}.mlp.3"]
        kind = "self" if block.cross_attention is None else "cross"
        outputs.append(f"blocks.{i}.{kind}_attention.out")
        new = (*new, f"blocks.{i}.cross_attention", f"blocks.{i}.cross_norm")
    first = next(iter(blocks)).self_attention
    return Language(
        inputs=tuple(inputs),
        linear=tuple(linear),
        outputs=tuple(outputs),
        mlp_outputs=tuple(f"blocks.{i}.mlp.3" for i in range(len(blocks))),
        new=new,
        tied=("words",),
        layers=len(blocks),
        heads=first.heads,
        width=first.out.in_features // first.heads,
        words=words,
    )
