"""Candidates and references in, scores out; texts only, nothing of models. A metric is one file and one line here.

`score` is what to call; the names are a contract, and `BLEU` asks for all four.
"""

from showtell.metrics.bleu import bleu
from showtell.metrics.cider import CIDER_D
from showtell.metrics.humans import humans
from showtell.metrics.metric import Metric
from showtell.metrics.names import select
from showtell.metrics.rouge import ROUGE_L
from showtell.metrics.score import Score, Scores, score, to_json

__all__ = ["METRICS", "Metric", "Score", "Scores", "humans", "score", "select", "to_json"]

METRICS: dict[str, Metric] = {
    "BLEU-1": bleu(1),
    "BLEU-2": bleu(2),
    "BLEU-3": bleu(3),
    "BLEU-4": bleu(4),
    "ROUGE-L": ROUGE_L,
    "CIDEr-D": CIDER_D,
}
