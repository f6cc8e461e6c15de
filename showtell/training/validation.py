"""How good a captioner is on held-out images during training: the loss, and metrics of greedy captions.

Final scores use the recipe's own decoding, for example beam search. Greedy captions cost about a fifth of that and are
good enough to compare epochs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from showtell.cache import Source
from showtell.captioners.neural import Neural
from showtell.clip import Clip
from showtell.features import first
from showtell.losses.cross_entropy import cross_entropy
from showtell.losses.self_critical import LENGTHS
from showtell.metrics import METRICS
from showtell.metrics.clipscore import make_ready
from showtell.metrics.score import score
from showtell.plumbing.errors import InputError
from showtell.predict.captions import describe_all
from showtell.recipe.fixed import LOSS
from showtell.settings.text import Recipe
from showtell.training.batches import collate, steps
from showtell.training.processes import ALONE, World

CAPTIONS = 64  # captions in a batch; the logits of 64 photos with 12 sentences each took 2 GB

# What is measured with a metric: METEOR on token numbers stands beside BLEU on token numbers, never on words.
BESIDE = {"METEOR-ids": ("BLEU-ids-4",)}


def chooser(select: str, say: Callable[[str], None]) -> str:
    """The metric that chooses the epoch: the first name in `select` that this machine can compute.

    `METEOR,CIDEr-D` gives CIDEr-D if METEOR is not installed, and `say` reports it. Raises InputError if none works.
    """
    reasons: list[str] = []
    for name in (part.strip() for part in select.split(",")):
        reason = METRICS[name].missing(None) if name != LOSS else None
        if reason is None:
            for skipped in reasons:
                say(f"train.select is {select}, but {skipped}; so {name} chooses the epoch")
            return name
        reasons.append(f"{name} {reason}")
    raise InputError(
        f"is {select}, which cannot be computed here: {'; '.join(reasons)}",
        key="train.select",
        value=select,
        advice="or use another metric",
    )


def check_clip(recipe: Recipe) -> None:
    """If CLIP chooses the epoch, load it once now, so that its errors come before photos are encoded."""
    make_ready([recipe["train"]["select"]], clip_of(recipe, torch.device("cpu")))


def clip_of(recipe: Recipe, device: torch.device) -> Clip:
    settings = recipe["evaluate"]
    return Clip(settings["clip"], settings["clip_protocol"], device=device)


def goodness(select: str, measured: Mapping[str, float]) -> float:
    """A measured value with the sign that makes more better: a loss of 2.5 gives -2.5."""
    if select == LOSS:
        return -measured["val_loss"]
    return -measured[select] if METRICS[select].lower else measured[select]


class Validation:
    """The held-out images with their references: `measure` gives the loss and the metrics."""

    def __init__(self, source: Source, captioner: Neural, training: Sequence[str] = ()) -> None:
        """`training` are the training captions: some metrics count how many captions are copies of them."""
        self.source, self.captioner, self.training = source, captioner, training
        chosen = captioner.recipe["train"]["select"]
        self.metrics = ["standard", *([chosen] if chosen != LOSS else []), *BESIDE.get(chosen, ())]
        records = source.records
        self.clip = clip_of(captioner.recipe, captioner.device)
        self.photos = {record.image_id: record.path for record in records}
        self.references = {record.image_id: list(record.references) for record in records}
        words = [[captioner.tokenizer.encode(text) for text in record.references] for record in records]
        groups = [(i, list(range(len(group)))) for i, group in enumerate(words)]
        self.batches = [collate(batch, words, captioner.tokenizer.special) for (batch,) in steps(groups, CAPTIONS)]

    @torch.inference_mode()
    def measure(self, world: World = ALONE) -> dict[str, float]:
        """Each process measures its share of the photos; process 0 computes the metrics and reports them to all."""
        self.captioner.encoder.eval()
        self.captioner.decoder.eval()
        loss, count = 0.0, 0.0
        for images, captions in world.share(self.batches):
            features = first(self.source(images.tolist())).to(self.captioner.device)
            part, words = cross_entropy(self.captioner.decoder, features, captions.to(self.captioner.device))
            loss, count = loss + float(part), count + words
        loss, count = world.sum(loss, count)
        lengths = {name: value for name, value in self.captioner.decode.items() if name in LENGTHS}
        rows = world.share(range(len(self.source)))
        captions_of = describe_all(self.captioner, self.source, rows=rows, **lengths | {"name": "greedy"})
        shares = world.gather({image_id: caption.text for image_id, caption in captions_of.items()})
        texts = {image_id: text for share in shares for image_id, text in share.items()}
        scores = self._scores(texts) if world.main else {}
        measured: dict[str, float] = world.from_main({"val_loss": loss / count} | scores)
        return measured

    def _scores(self, texts: Mapping[str, str]) -> dict[str, float]:
        texts = {record.image_id: texts[record.image_id] for record in self.source.records}
        others: dict[str, Any] = {"training": self.training or None, "photos": self.photos, "clip": self.clip}
        others["words"] = self.captioner.recipe["evaluate"]["words"]
        scores = score(texts, self.references, self.metrics, resamples=0, **others)
        return {name: round(entry.value, 6) for name, entry in scores.items()}
