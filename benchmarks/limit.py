"""How near the machine's limit: shares of its peak, which is timed in the same run.

A share of 0.5 means: the machine's own best would need half of our time.

- A training step of bern-6 at its sizes, features in memory: the same number of products as large square matrices.
- Captions of `tiny` from JPEGs, as of an album: only its encoder, on squares in memory.
- Beam search at GPT-2 small's size: only reading its weights once for each word.

The JPEGs are drawn; `SHOWTELL_BENCH_PHOTOS=FOLDER` takes real ones.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import showtell
from benchmarks.sides import QUICK, SIDES, SIZES, WORDS, gpt2_decoder, write_gpt2
from benchmarks.start import photos
from benchmarks.timing import Ratio, Work, compare
from showtell.cache import encode_prepared, prepare
from showtell.data.images import open_image
from showtell.decoders import DECODERS
from showtell.features import Features
from showtell.losses.cross_entropy import cross_entropy
from showtell.plumbing.device import autocast, device_of
from showtell.predict.album.pipeline import captioned
from showtell.predict.album.sources import Source
from showtell.tokenizers.captions import Captions, Special, batch

PHOTOS, PER_PHOTO, LENGTH, VOCABULARY = 12, 5, 11, 3000  # of a step of bern-6 on Flickr8k; the mean number of words
PRODUCT = 1024  # rows and columns of the matrices whose products are the peak
BATCH = 16


def run(quick: bool = False) -> list[Ratio]:
    return [_training(quick), _captioning(quick), _decoding(quick)]


def _training(quick: bool) -> Ratio:
    """One step: forward, backward and AdamW."""
    torch.manual_seed(0)
    sizes = {"dim": 32, "layers": 1, "mlp_dim": 32} if quick else {}
    decoder = DECODERS["transformer"](1280, VOCABULARY, **sizes).train()
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-4)
    words = torch.randint(4, VOCABULARY, (PHOTOS, PER_PHOTO, LENGTH)).tolist()
    captions: Captions = batch(words, Special(begin=(1,), eos=2, pad=0))
    tokens = torch.randn(PHOTOS, 49, 1280)
    seen = Features(tokens, torch.ones(PHOTOS, 49, dtype=torch.bool), tokens.mean(1), torch.zeros(PHOTOS, 49, 4))
    precision = autocast(device_of("cpu"), "auto")

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with precision:
            loss, count = cross_entropy(decoder, seen, captions, 0.1)
        (loss / count).backward()
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        step()
    operations = counter.get_total_flops()
    with precision:
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
    note = f"{operations / 1e9:.1f} billion operations, {str(dtype).removeprefix('torch.')}"
    return compare("step of bern-6: the same products / ours", step, _products(operations, dtype), 3, 0.5, note)


def _products(operations: int, dtype: torch.dtype) -> Work:
    """As many operations in products of large matrices: what the machine can do at best."""
    left, right = (torch.randn(PRODUCT, PRODUCT).to(dtype) for _ in range(2))
    rows = max(1, round(operations / (2 * PRODUCT**2)))
    whole, rest = divmod(rows, PRODUCT)

    def work() -> None:
        for _ in range(whole):
            left @ right
        if rest:
            left[:rest] @ right

    return work


def _captioning(quick: bool) -> Ratio:
    tiny: Any = showtell.load("tiny")
    with tempfile.TemporaryDirectory() as name:
        given = os.environ.get("SHOWTELL_BENCH_PHOTOS")
        folder = Path(given) if given else _drawn(Path(name), 4 if quick else 128)
        items = list(Source([folder]).photos())[: 4 if quick else 512]
        at_least = 2 * tiny.encoder.image_size
        squares = [prepare(tiny.encoder, open_image(folder / item.image_id, at_least)) for item in items]

        def whole() -> None:
            for _ in captioned(tiny, [(0, items)]):
                pass

        def alone() -> None:
            for start in range(0, len(squares), BATCH):
                encode_prepared(tiny.encoder, squares[start : start + BATCH])

        return compare(f"{len(items)} captions of tiny: its encoder alone / from JPEGs", whole, alone, 3, 0.8)


def _drawn(folder: Path, count: int) -> Path:
    """JPEGs of 500 x 375 pixels."""
    photos(folder, count)
    return folder


def _decoding(quick: bool) -> Ratio:
    """The weights are read once for each word; the last layer's, tied to the embedding, too."""
    sizes = (QUICK if quick else SIZES)["gpt2"]
    with tempfile.TemporaryDirectory() as name:
        folder = write_gpt2(Path(name), quick)
        ours = SIDES["gpt2", "ours"](folder, "bf16", sizes)
        weights: list[Tensor] = [weight.bfloat16() for weight in gpt2_decoder(folder, sizes).parameters()]

    def reading() -> None:
        for _ in range(WORDS):
            for weight in weights:
                weight.view(-1).view(torch.int16).max()

    size = sum(weight.numel() * 2 for weight in weights) / 1e6
    note = f"bf16, {sizes.photos} photos, 5 beams, {WORDS} words; {size:,.0f} MB of weights"
    return compare("beams of gpt2: reading the weights / ours", ours, reading, 3, None, note)
