"""A captioner and prepared files -> BLEU-1 to BLEU-4 on ids, nltk's corpus BLEU as the tutorial computes it."""

from pathlib import Path

from rich.console import Console

from showtell.captioners.neural import Neural
from showtell.data.hdf5 import hdf5
from showtell.metrics.bleu_nltk import bleu_of_ids
from showtell.predict.captions import caption_records
from showtell.tokenizers.captions import words_of


def score_of(captioner: Neural, folder: str, base: str, split: str, beam_size: int) -> dict[int, float]:
    records = [record for record in hdf5(root=Path(folder), base=base) if record.split == split]
    captioner.decode = {**captioner.decode, "num_beams": beam_size}
    records, captions = caption_records(captioner, records, console=Console(stderr=True))
    special, encode = captioner.tokenizer.special, captioner.tokenizer.encode
    candidates = [words_of(captions[record.image_id].tokens, special) for record in records]
    return bleu_of_ids(candidates, [[encode(text) for text in record.references] for record in records])
