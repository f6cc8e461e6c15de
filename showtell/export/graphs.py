"""The three graphs of a captioner, as modules that take tensors and return tensors.

`See` is the encoder: the squares of pixels and their views -> features. `Start` reads the features once per image:
features -> memory and state. `Step` reads one word of every caption: words, memory and state -> logits and state. One
`Step` serves the first word and all later ones, any number of photos, captions and words.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim

from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.features import Features

Shapes = dict[int, Any]  # the axes of a tensor that may have any size, by number

PHOTOS, CAPTIONS = Dim("photos"), Dim("captions")
TRACED = 3  # photos, captions and words of the inputs that a graph is traced with; 1 would count as fixed
LONGEST = 4096  # words, if the decoder has no limit of its own


class Graph(NamedTuple):
    """A module, an example of its inputs by name, the names of its outputs, and which axes of the inputs vary."""

    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str]
    shapes: Mapping[str, Shapes]


class See(nn.Module):
    """`pixels0, view0, pixels1, view1 ..`, a pair for each encoder -> the four parts of Features."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *squares: Tensor) -> tuple[Tensor, ...]:
        parts = self.encoder.encoders or [self.encoder]
        pairs = zip(squares[::2], squares[1::2], strict=True)
        seen = [part.pool(part(pixels, view)) for part, (pixels, view) in zip(parts, pairs, strict=True)]
        joined = self.encoder.join(seen) if self.encoder.encoders else seen[0]
        return tuple(joined)  # type: ignore[arg-type]


class Start(nn.Module):
    """The four parts of Features -> the memory, then the state of one empty caption per photo."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, *features: Tensor) -> tuple[Tensor, ...]:
        memory, state = self.decoder.start(Features(*features))
        return *memory.values(), *state.values()


class Step(nn.Module):
    """One word of every caption (B K), the memory and the state -> logits (B K V) and the new state."""

    def __init__(self, decoder: Decoder, memory: Sequence[str], state: Sequence[str]) -> None:
        super().__init__()
        self.decoder, self.memory, self.state = decoder, memory, state

    def forward(self, words: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        count = len(self.memory)
        memory = dict(zip(self.memory, parts[:count], strict=True))
        state = dict(zip(self.state, parts[count:], strict=True))
        output = self.decoder(memory, state, words[..., None])
        return output.logits[:, :, -1], *(output.state[name] for name in self.state)


@torch.no_grad()
def graphs(encoder: Encoder, decoder: Decoder, seen: Features) -> dict[str, Graph]:
    """The graphs by file name. `seen` are features of some photos, which the graphs are traced with."""
    features = dict(zip(Features._fields, seen, strict=True))
    memory, state = decoder.start(seen)
    inside = [f"memory.{name}" for name in memory]
    carried = [f"state.{name}" for name in state]
    state = decoder.widen(state, TRACED)
    words = torch.zeros(len(seen.mask), TRACED, dtype=torch.long)
    for _ in range(TRACED):  # so that the cache of words, if any, has a length to trace
        grown = decoder(memory, state, words[..., None]).state
        state = {name: grown[name] for name in state}
    step = {"words": words, **dict(zip(inside, memory.values(), strict=True))}
    step |= dict(zip(carried, state.values(), strict=True))
    limit = (decoder.max_length or LONGEST) - 1
    written = Dim("written", min=0, max=limit)
    shapes: dict[str, Shapes] = {"words": {0: PHOTOS, 1: CAPTIONS}} | {name: {0: PHOTOS} for name in inside}
    for name, part in zip(carried, state.values(), strict=True):
        grows = part.ndim == 5 and name.startswith(("state.keys", "state.values"))  # B K H L d
        shapes[name] = {0: PHOTOS, 1: CAPTIONS} | ({3: written} if grows else {})
    squares = _squares(encoder, len(seen.mask))
    return {
        "encoder": Graph(See(encoder), squares, [*features], {name: {0: PHOTOS} for name in squares}),
        "start": Graph(Start(decoder), features, [*inside, *carried], {name: {0: PHOTOS} for name in features}),
        "step": Graph(Step(decoder, [*memory], [*state]), step, ["logits", *(f"new.{n}" for n in carried)], shapes),
    }


def _squares(encoder: Encoder, photos: int) -> dict[str, Tensor]:
    """Grey photos for each encoder."""
    found = {}
    for number, part in enumerate(encoder.encoders or [encoder]):
        size = part.image_size
        found[f"pixels{number}"] = torch.full((photos, 3, size, size), 128, dtype=torch.uint8)
        found[f"view{number}"] = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(photos, -1).clone()
    return found
