"""The table of metrics: candidates and references -> scores. To add a metric, write one file and add one line here.

The keys are public: users ask for them and signatures contain them. `names.py` selects metrics, `score.py` calls them.
"""

from showtell.metrics.bleu import bleu
from showtell.metrics.bleu_nltk import bleu_bern, bleu_nltk
from showtell.metrics.chair import CHAIR_I, CHAIR_S
from showtell.metrics.cider import CIDER_D
from showtell.metrics.cider_plain import CIDER
from showtell.metrics.clipscore import CLIPSCORE, REF_CLIPSCORE
from showtell.metrics.copied import COPIED
from showtell.metrics.diversity import IDENTICAL, LENGTH, VOCABULARY, distinct, repeats
from showtell.metrics.meteor import METEOR
from showtell.metrics.metric import Metric
from showtell.metrics.on_ids import METEOR_IDS, bleu_ids
from showtell.metrics.rouge import ROUGE_L
from showtell.metrics.spice import SPICE

METRICS: dict[str, Metric] = {
    "BLEU-1": bleu(1),
    "BLEU-2": bleu(2),
    "BLEU-3": bleu(3),
    "BLEU-4": bleu(4),
    "METEOR": METEOR,
    "ROUGE-L": ROUGE_L,
    "CIDEr-D": CIDER_D,
    "CHAIRs": CHAIR_S,
    "CHAIRi": CHAIR_I,
    "distinct-1": distinct(1),
    "distinct-2": distinct(2),
    "vocabulary": VOCABULARY,
    "repeats-2": repeats(2),
    "repeats-4": repeats(4),
    "length": LENGTH,
    "identical": IDENTICAL,
    "copied": COPIED,
    "CIDEr": CIDER,
    "CLIPScore": CLIPSCORE,
    "RefCLIPScore": REF_CLIPSCORE,
    "SPICE": SPICE,
    "BLEU-nltk-1": bleu_nltk(1),
    "BLEU-nltk-2": bleu_nltk(2),
    "BLEU-nltk-3": bleu_nltk(3),
    "BLEU-nltk-4": bleu_nltk(4),
    "BLEU-bern-1": bleu_bern(1),
    "BLEU-bern-2": bleu_bern(2),
    "BLEU-bern-3": bleu_bern(3),
    "BLEU-bern-4": bleu_bern(4),
    "METEOR-ids": METEOR_IDS,
    "BLEU-ids-1": bleu_ids(1),
    "BLEU-ids-2": bleu_ids(2),
    "BLEU-ids-3": bleu_ids(3),
    "BLEU-ids-4": bleu_ids(4),
}
