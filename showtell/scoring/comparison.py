"""Captions of the same images by several captioners -> which is better, how sure that is, where each wins most.

Every other captioner is compared with the first, on the images that all have. A difference counts as shown if both
tests of `metrics.significance` have p < .05 and the interval does not contain 0. With three captioners there are two
comparisons, so p is corrected for two tests (Holm 1979). p is not corrected for the number of metrics: they measure one
thing in several ways, and a user should choose the one that decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from showtell.data import LeftOut, told
from showtell.metrics import METRICS
from showtell.metrics.metric import Metric, Rows, Texts
from showtell.metrics.names import DEFAULT, chosen
from showtell.metrics.score import Scores, check_texts, had, of_rows, read, statistics
from showtell.metrics.significance import LEVEL, RESAMPLES, Paired, holm, paired
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.progress import Bar

ALONE = "there is nothing to compare with; name two runs or more"
SAME = "no difference shown"
DECIDES = "CIDEr-D"  # the metric that decides which images a run wins, if it was computed


@dataclass(frozen=True)
class Difference:
    """A run's value minus the first run's. `p` is the larger of the two p, both corrected for the number of runs."""

    value: float
    interval: tuple[float, float]
    p_bootstrap: float
    p_randomization: float
    exact: bool  # whether all swaps of the photos that differ were tried
    p: float
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Scores by run, and differences from the first run by metric. A metric that cannot be resampled has none."""

    candidates: dict[str, dict[str, str]]  # by run, by image
    references: dict[str, list[str]]
    scores: dict[str, Scores]
    differences: dict[str, dict[str, Difference]]
    resamples: int
    seed: int
    left_out: tuple[LeftOut, ...] = ()  # images that some run lacks
    photos: dict[str, Path] = field(default_factory=dict)
    sources: dict[str, dict[str, str]] = field(default_factory=dict)  # by run: its file, how evaluate made that

    @property
    def first(self) -> str:
        return next(iter(self.candidates))

    @property
    def others(self) -> list[str]:
        return list(self.candidates)[1:]

    @property
    def decides(self) -> str:
        """The metric that decides which images a run wins."""
        names = [*self.differences, *self.scores[self.first]]
        return DECIDES if DECIDES in names else names[0]

    def wins(self, other: str, most: int) -> tuple[list[str], list[str]]:
        """The images that the other run wins, by gain, and those that the first wins, at most `most` each."""
        ours, theirs = (self.scores[name][self.decides].per_image for name in (self.first, other))
        sign = -1 if METRICS[self.decides].lower else 1
        gains = {image_id: sign * (theirs[image_id] - ours[image_id]) for image_id in self.references}
        won = sorted((i for i in gains if gains[i] > 0), key=lambda i: -gains[i])
        lost = sorted((i for i in gains if gains[i] < 0), key=lambda i: gains[i])
        return won[:most], lost[:most]


def compare(
    candidates: Mapping[str, Mapping[str, str]],
    references: Mapping[str, Sequence[str]],
    metrics: str | Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
    **given: Any,
) -> Comparison:
    """Compare captions `{run: {image_id: caption}}` with those of the first run, on the images that all runs have.

    `given` may have `training`, `photos`, `clip` and `frequencies_of`, as in `metrics.score.score`.
    Raises InputError for fewer than two runs, and if no image is in all of them.
    """
    if len(candidates) < 2:
        raise InputError(ALONE)
    if resamples < 1:
        raise InputError(key="--resamples", value=resamples, takes=f"1 or more, such as {RESAMPLES}")
    return measure(candidates, references, metrics, resamples=resamples, seed=seed, console=console, **given)


def measure(
    candidates: Mapping[str, Mapping[str, str]],
    references: Mapping[str, Sequence[str]],
    metrics: str | Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
    **given: Any,
) -> Comparison:
    """Like `compare`, but also for a single captioner, which then has scores and no differences."""
    names = chosen(DEFAULT if metrics is None else metrics)
    image_ids, left_out = _common(candidates, references)
    known = {image_id: references[image_id] for image_id in image_ids}
    common = {run: {image_id: captions[image_id] for image_id in image_ids} for run, captions in candidates.items()}
    for run, captions in common.items():
        try:
            check_texts(captions, known)
        except InputError as error:
            raise InputError(f"{run}: {error}") from None
    texts = {run: read(captions, known, **given) for run, captions in common.items()}
    possible = [had(names, each) for each in texts.values()]
    missing = {name: reason for _, lacking in possible for name, reason in lacking.items()}
    ready = [name for name in names if name not in missing]
    with Bar(console or Plain(stderr=True), "comparing", len(common), "run", show=console is not None) as bar:
        scores, tested = _tested(ready, texts, image_ids, resamples, seed, bar)
    for of_run in scores.values():
        of_run.left_out = missing
    differences = {name: _differences(METRICS[name], pairs) for name, pairs in tested.items() if pairs}
    photos = given.get("photos") or {}
    plain = {image_id: list(texts) for image_id, texts in known.items()}
    shown = {image_id: photos[image_id] for image_id in image_ids if image_id in photos}
    return Comparison(common, plain, scores, differences, resamples, seed, left_out, shown)


def _tested(
    names: Sequence[str], texts: Mapping[str, Texts], image_ids: Sequence[str], resamples: int, seed: int, bar: Bar
) -> tuple[dict[str, Scores], dict[str, dict[str, Paired]]]:
    """Scores by run; and for each metric that can be tested, how far each other run is from the first."""
    metrics = [METRICS[name] for name in names]
    scores: dict[str, Scores] = {}
    tested: dict[str, dict[str, Paired]] = {name: {} for name in names}
    first: list[Rows] = []
    for run, each in texts.items():
        rows = statistics(names, each)
        scores[run] = of_rows(rows, each, image_ids, resamples, seed)
        first = first or list(rows.values())
        pairs = paired(metrics, first, list(rows.values()), resamples, seed) if len(scores) > 1 else []
        for name, pair in zip(names, pairs, strict=False):
            if pair is not None:
                tested[name][run] = pair
        bar.advance()
    return scores, tested


def _common(
    candidates: Mapping[str, Mapping[str, str]], references: Mapping[str, Sequence[str]]
) -> tuple[list[str], tuple[LeftOut, ...]]:
    """The images that all runs have, in the first run's order; and for each other image, which run lacks it."""
    every = dict.fromkeys(image_id for captions in candidates.values() for image_id in captions)
    lacking = {f"without a caption of {run}": set(every) - set(captions) for run, captions in candidates.items()}
    lacking["without references"] = set(every) - set(references)
    reasons = {i: [reason for reason, lost in lacking.items() if i in lost] for i in every}
    common = [image_id for image_id in every if not reasons[image_id]]
    left_out = tuple(LeftOut(image_id, why[0]) for image_id, why in reasons.items() if why)
    if not common:
        raise InputError(f"no image has references and a caption of every run: {told(left_out)}")
    return common, left_out


def _differences(metric: Metric, pairs: Mapping[str, Paired]) -> dict[str, Difference]:
    tests = zip(*((each.p_bootstrap, each.p_randomization) for each in pairs.values()), strict=True)
    larger = map(max, *(holm(values) for values in tests))
    return {
        run: Difference(*each, p=p, verdict=_verdict(metric, each, p))
        for (run, each), p in zip(pairs.items(), larger, strict=True)
    }


def _verdict(metric: Metric, pair: Paired, p: float) -> str:
    """`better` or `worse`; `higher` or `lower` if the metric has no good side, such as the mean length."""
    low, high = pair.interval
    if p >= 1 - LEVEL or low <= 0 <= high:
        return SAME
    if metric.group == "hidden" and not metric.lower:
        return "higher" if pair.difference > 0 else "lower"
    return "better" if (pair.difference > 0) != metric.lower else "worse"


def method(result: Comparison) -> str:
    """One line that explains the intervals and the p values."""
    every = [each for by_run in result.differences.values() for each in by_run.values()]
    swaps = f"{result.resamples} drawn"
    if any(each.exact for each in every):
        few = 2 ** len(result.references) <= result.resamples
        swaps = f"all 2^{len(result.references)}" if few else f"{swaps} (all if few photos differ)"
    count = len(result.others)
    holm = f"; p Holm: the larger of both, corrected for {count} runs; it decides" * (count > 1)
    return (
        f"p boot: paired bootstrap, {result.resamples} resamples shifted to mean 0; p swap: approximate randomization, "
        f"{swaps} swaps, p at least 2^(1 - photos that differ); two-sided, (n + 1) / (drawn + 1), seed {result.seed}"
        f"{holm}; a difference is shown if both p are below .05 and the interval does not contain 0"
    )
