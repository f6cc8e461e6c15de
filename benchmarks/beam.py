"""Beam search over 32 photos at once against one by one: 5 beams, the same photos, captions of realistic length.

Weights are random; eos is made a little likelier at every step, so that captions end after about 12 words, each image's
at its own time, as trained ones do.
"""

import torch

from benchmarks.timing import Ratio, compare
from showtell.decode import beam
from showtell.decoders import DECODERS
from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.features import Features, grid_boxes
from showtell.tokenizers.captions import Special

VOCABULARY, CELLS, CHANNELS = 3000, 7, 1280  # a Flickr8k vocabulary, the grid of `lite`
SPECIAL = Special(begin=(1,), eos=2, pad=0, suppress=(0, 1, 3))


class Ending(Decoder):
    """A decoder that grows readier to stop with every word."""

    def __init__(self, decoder: Decoder, words: int):
        super().__init__()
        self.decoder, self.words = decoder, words

    def start(self, features: Features) -> tuple[Memory, State]:
        return self.decoder.start(features)

    def forward(self, memory: Memory, state: State, tokens: torch.Tensor, attention: bool = False) -> Output:
        output = self.decoder(memory, state, tokens, attention)
        output.logits[..., SPECIAL.eos] += (output.state["position"] - self.words)[..., None].clamp(min=-8) + 4
        return output


def run(quick: bool = False) -> list[Ratio]:
    photos, repeats = (4, 1) if quick else (32, 3)
    small = {"dim": 32} if quick else {}
    torch.manual_seed(0)
    tokens = torch.randn(photos, CELLS**2, CHANNELS)
    boxes = grid_boxes(CELLS, CELLS, torch.tensor([[0.0, 0.0, 1.0, 1.0]])).expand(photos, -1, -1)
    features = Features(tokens, torch.ones(photos, CELLS**2, dtype=torch.bool), tokens.mean(1), boxes)
    return [
        _compare(name, Ending(DECODERS[name](CHANNELS, VOCABULARY, **small), 12).eval(), features, repeats)
        for name in ("transformer", "recurrent")
    ]


def _compare(name: str, decoder: Decoder, features: Features, repeats: int) -> Ratio:
    images = torch.arange(len(features.tokens))

    def at_once() -> torch.Tensor:
        return beam(decoder, features, SPECIAL, num_beams=5).mask

    def one_by_one() -> None:
        for image in images:
            beam(decoder, features.select(image[None]), SPECIAL, num_beams=5)

    words = at_once()[:, 0].sum(-1).float().mean() - 2
    note = f"captions of {words:.0f} words on average"
    return compare(f"beam, {name}: {len(images)} photos one by one / at once", at_once, one_by_one, repeats, 4, note)
