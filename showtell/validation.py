"""How good a captioner is on held-out images while it trains: loss, and metrics of greedy captions.

The final scores use the recipe's own decoding; greedy ones order epochs as well, at a fifth of the cost.
"""

import torch

from showtell import losses
from showtell.batches import collate
from showtell.cache import Source
from showtell.captioners.neural import Neural
from showtell.metrics import score
from showtell.predict import describe_all

BATCH_SIZE = 64  # images
LENGTHS = ("max_length", "min_length", "no_repeat_ngram_size")  # what greedy takes of the recipe's own decoding


class Validation:
    """The held-out images with their references."""

    def __init__(self, source: Source, captioner: Neural) -> None:
        self.source, self.captioner = source, captioner
        records = source.records
        self.references = {record.image_id: list(record.references) for record in records}
        words = [[captioner.tokenizer.encode(text) for text in record.references] for record in records]
        groups = [(i, list(range(len(group)))) for i, group in enumerate(words)]
        self.batches = [
            collate(groups[i : i + BATCH_SIZE], words, captioner.tokenizer.special)
            for i in range(0, len(groups), BATCH_SIZE)
        ]

    @torch.inference_mode()
    def measure(self) -> dict[str, float]:
        self.captioner.encoder.eval()
        self.captioner.decoder.eval()
        loss, count = 0.0, 0
        for images, captions in self.batches:
            features = self.source(images.tolist()).to(self.captioner.device)
            part, words = losses.cross_entropy(self.captioner.decoder, features, captions.to(self.captioner.device))
            loss, count = loss + float(part), count + words
        lengths = {name: value for name, value in self.captioner.recipe["decode"].items() if name in LENGTHS}
        found = describe_all(self.captioner, self.source, **lengths | {"name": "greedy"})
        scores = score({image_id: caption.text for image_id, caption in found.items()}, self.references)
        return {"val_loss": loss / count} | {name: round(entry.value, 6) for name, entry in scores.items()}
