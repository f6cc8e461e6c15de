"""References only -> how well one person's caption scores against the other people's: the human baseline.

In round i, caption i of every image is the candidate and the image's other captions are the references. A score is the
mean over the rounds. Example: 5 captions per image give 5 rounds with 4 references each. A model is scored against all
5, which raises BLEU and ROUGE-L a little, because they look for the best match.
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
    """Scores of each image's references against each other; as many rounds as the image with the fewest references has.

    Images with only one reference are skipped. Raises InputError if no image has two.
    """
    several = {image_id: list(texts) for image_id, texts in references.items() if len(texts) > 1}
    if not several:
        raise InputError("no image has two references or more, so no human caption can be scored against another")
    count = min(map(len, several.values()))
    rounds = []
    for place in range(count):
        candidates = {image_id: texts[place] for image_id, texts in several.items()}
        others = {image_id: texts[:place] + texts[place + 1 :] for image_id, texts in several.items()}
        settings = {**(protocol or {}), "decode": f"{SAID}, mean of {count}"}
        rounds.append(score(candidates, others, metrics, resamples=0, protocol=settings))
    return {name: _mean([of_round[name] for of_round in rounds]) for name in rounds[0]}


def _mean(scores: Sequence[Score]) -> Score:
    first = scores[0]
    per_image = {image_id: fmean(score.per_image[image_id] for score in scores) for image_id in first.per_image}
    return replace(first, value=fmean(score.value for score in scores), per_image=per_image)
