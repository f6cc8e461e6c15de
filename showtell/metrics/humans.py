"""References alone -> how well one person's caption does against the others': the bar that people set.

In the i-th round the i-th caption of every image is its candidate, and its other captions are the references; a score
is the mean over the rounds. A candidate so has one reference fewer than a model's, which lowers BLEU and ROUGE-L
somewhat: they look for the best match.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from showtell.metrics.score import Score, score
from showtell.plumbing.errors import InputError

SAID = "each human caption in turn against the rest"


def humans(
    references: Mapping[str, Sequence[str]],
    metrics: str | Sequence[str] | None = None,
    protocol: Mapping[str, object] | None = None,
) -> dict[str, Score]:
    """Scores of the references of each image against each other; as many rounds as the fewest references of an image.

    Images with one reference alone are left out; InputError if all have.
    """
    several = {image_id: list(texts) for image_id, texts in references.items() if len(texts) > 1}
    if not several:
        raise InputError("no image has two references or more, so no human caption can be scored against another")
    count = min(map(len, several.values()))
    rounds = []
    for place in range(count):
        candidates = {image_id: texts[place] for image_id, texts in several.items()}
        others = {image_id: texts[:place] + texts[place + 1 :] for image_id, texts in several.items()}
        said = {**(protocol or {}), "decode": f"{SAID}, mean of {count}"}
        rounds.append(score(candidates, others, metrics, resamples=0, protocol=said))
    return {name: _mean([of_round[name] for of_round in rounds]) for name in rounds[0]}


def _mean(scores: Sequence[Score]) -> Score:
    first = scores[0]
    per_image = {image_id: fmean(score.per_image[image_id] for score in scores) for image_id in first.per_image}
    return replace(first, value=fmean(score.value for score in scores), per_image=per_image)
