"""Keeping what was computed against computing it anew at every step: a Transformer of 12 layers, 768 wide, 197 tokens.

The peers read the whole prefix at every step, as code without a cache does: one keeps the image's keys and values, the
other makes them anew as well. All three give the same logits, which is asserted, and so the same captions.
"""

import torch

from benchmarks.timing import Ratio, compare
from showtell.decode import beam
from showtell.decoders import DECODERS
from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.features import Features
from showtell.tokenizers.captions import Special

SPECIAL = Special(begin=(1,), eos=2, pad=0, suppress=(0, 1, 3))
VOCABULARY, WORDS, CLOSE = 3000, 20, 1e-4


class Rerun(Decoder):
    """Remembers words only, and reads them all again at each call."""

    def __init__(self, decoder: Decoder, keeps_image: bool):
        super().__init__()
        self.decoder, self.keeps_image = decoder, keeps_image

    def start(self, features: Features) -> tuple[Memory, State]:
        none = torch.zeros(len(features.tokens), 1, 0, dtype=torch.long)
        memory, state = self.decoder.start(features) if self.keeps_image else (features._asdict(), {})
        return memory | {f"start {name}": part for name, part in state.items()}, {"words": none}

    def forward(self, memory: Memory, state: State, tokens: torch.Tensor, attention: bool = False) -> Output:
        words = torch.cat([state["words"], tokens], dim=-1)
        if self.keeps_image:
            first = {name[6:]: part for name, part in memory.items() if name.startswith("start ")}
            kept = {name: part for name, part in memory.items() if not name.startswith("start ")}
        else:
            kept, first = self.decoder.start(Features(**memory))
        output = self.decoder(kept, self.decoder.widen(first, words.shape[1]), words)
        return Output(output.logits[:, :, -tokens.shape[-1] :], {"words": words})


@torch.inference_mode()
def run(quick: bool = False) -> list[Ratio]:
    photos, repeats, layers, dim, length = (1, 1, 2, 32, 5) if quick else (4, 3, 12, 768, WORDS + 1)
    torch.manual_seed(0)
    tokens = torch.randn(photos, 197, 768)
    features = Features(tokens, torch.ones(photos, 197, dtype=torch.bool), tokens.mean(1), torch.rand(photos, 197, 4))
    heads = dim // 64 or 1
    cached = DECODERS["transformer"](768, VOCABULARY, layers=layers, dim=dim, heads=heads, mlp_dim=4 * dim).eval()
    peers = {"whole prefix": Rerun(cached, True), "prefix and image": Rerun(cached, False)}
    worst = _difference(cached, peers, features)
    note = f"{photos} photos, 5 beams, {length - 1} words; logits differ by {worst:.0e} at most"

    def search(decoder: Decoder) -> torch.Tensor:
        return beam(decoder, features, SPECIAL, num_beams=5, max_length=length, min_length=length - 1).tokens

    targets = {"whole prefix": 3.0, "prefix and image": None}
    return [
        compare(
            f"decoding: {name} again / cached",
            lambda: search(cached),
            lambda peer=peer: search(peer),
            repeats,
            targets[name],
            note,
        )
        for name, peer in peers.items()
    ]


def _difference(cached: Decoder, peers: dict[str, Rerun], features: Features) -> float:
    """The largest difference of logits over 8 steps of the same words."""
    words = torch.randint(4, VOCABULARY, (len(features.tokens), 1, 8))
    runs = [_logits(decoder, features, words) for decoder in (cached, *peers.values())]
    worst = max(float((runs[0] - other).abs().max()) for other in runs[1:])
    assert worst < CLOSE, f"logits differ by {worst}"
    return worst


def _logits(decoder: Decoder, features: Features, words: torch.Tensor) -> torch.Tensor:
    memory, state = decoder.start(features)
    logits = []
    for word in words.split(1, dim=-1):
        output = decoder(memory, state, word)
        state = output.state
        logits.append(output.logits)
    return torch.cat(logits, dim=2)
