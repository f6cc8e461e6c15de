"""Training from cached features against encoding photos in every epoch: bern-6 with DINOv2 ViT-S/14, random weights.

A step of ours has 13 photos with 5 captions each, read from the cache. The course's code encodes the photo again for
every caption: 65 encodings. "Per photo" encodes 13. A whole epoch the course's way takes an hour here, so single real
training steps of such batches are timed; an epoch is nothing but more of them.
"""

import tempfile
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.timing import Ratio, compare, seconds
from showtell.cache import Source, encode, open_source
from showtell.features import Features
from showtell.recipe.build import build, build_neural
from showtell.recipe.check import check
from showtell.recipe.fixed import Train
from showtell.recipe.tables import options
from showtell.settings.text import load_recipe
from showtell.training.loop import Job


def run(quick: bool = False) -> list[Ratio]:
    images, repeats = (16, 1) if quick else (65, 3)
    job, fill = _job(images, quick)
    note = f"filling the cache, once for all epochs and runs: {fill / images * 1000:.0f} ms a photo"
    ours = job.training
    records = [record for record in build(job.captioner.recipe, "data") if record.split == "train"]

    def encoded(times: int) -> object:
        """Photos read and encoded at each step, each `times` times."""

        def source(rows: list[int]) -> Features:
            opened = [job.captioner.open(records[row].path) for row in rows for _ in range(times)]
            features = encode(job.captioner.encoder, opened)
            return features.select(torch.arange(0, len(opened), times))

        return source

    def step(source: object) -> None:
        job.training = source  # type: ignore[assignment]
        job.step()

    per_image = job.settings.captions_per_image
    return [
        compare(
            "epoch: encode per caption / cached",
            lambda: step(ours),
            lambda: step(encoded(per_image)),
            repeats,
            10,
            note,
        ),
        compare("epoch: encode per photo / cached", lambda: step(ours), lambda: step(encoded(1)), repeats),
    ]


def _job(images: int, quick: bool) -> tuple[Job, float]:
    small = ["encoder.image_size=56", "decoder.layers=1", "decoder.dim=32"] if quick else []
    scenes = [
        "data=scenes",
        f"data.images={images}",
        "data.val_images=1",
        "data.test_images=1",
        "tokenizer.min_count=1",
    ]
    recipe = check(load_recipe("bern-6", ["encoder.weights=random", *scenes, *small]))
    records = [record for record in build(recipe, "data") if record.split == "train"]
    torch.manual_seed(0)
    tokenizer = build(recipe, "tokenizer").fit([text for record in records for text in record.references])
    captioner = build_neural(recipe, build(recipe, "encoder"), tokenizer)
    sources: list[Source] = []
    quiet = Console(quiet=True)
    fill = seconds(lambda: sources.append(open_source(records, captioner.encoder, console=quiet)))
    job = Job(
        captioner, Train(**options(recipe, "train")), build(recipe, "loss"), sources[0], None, Path(tempfile.mkdtemp())
    )
    job.begin()
    return job, fill
