"""All photos -> the few that a report shows: the middle ones, the best and the worst, those on which runs disagree."""

from collections.abc import Sequence

from showtell.metrics import METRICS
from showtell.report.failures import KINDS, of_run
from showtell.report.runs.read import Runs

MIDDLE = 5


def middle(found: Runs, count: int = MIDDLE) -> list[str]:
    """The photos whose score, mean of the runs, stands in the middle of all: neither the best nor the worst.

    Of seven photos with the scores 1 to 7, three are 3, 4 and 5. Of photos that the best run gives the same caption,
    only one is chosen: a report needs no two airports.
    """
    ordered = sorted(found.image_ids, key=lambda image_id: (found.mean(image_id), image_id))
    place = {image_id: number for number, image_id in enumerate(ordered)}
    outwards = sorted(ordered, key=lambda image_id: abs(place[image_id] - (len(ordered) - 1) / 2))
    by_caption: dict[str, str] = {}
    for image_id in outwards:
        by_caption.setdefault(found.caption(found.best, image_id), image_id)
    chosen = list(by_caption.values())[:count]
    chosen += [image_id for image_id in outwards if image_id not in chosen][: count - len(chosen)]
    return sorted(chosen, key=place.__getitem__)


def extremes(found: Runs, run: str, metric: str, count: int) -> tuple[list[str], list[str]]:
    """The best and the worst photos of a run by any metric; no photo is in both."""
    values = found.values(metric).get(run, {})
    sign = 1 if metric in METRICS and METRICS[metric].lower else -1
    ordered = sorted(values, key=lambda image_id: (sign * values[image_id], image_id))
    half = len(ordered) // 2
    return _different(found, run, ordered[:half], count), _different(found, run, ordered[: half - 1 : -1], count)


def _different(found: Runs, run: str, image_ids: Sequence[str], count: int) -> list[str]:
    """The first photos with different captions; photos with a caption that was shown come only if there are too few."""
    by_caption: dict[str, str] = {}
    for image_id in image_ids:
        by_caption.setdefault(found.caption(run, image_id), image_id)
    chosen = list(by_caption.values())[:count]
    return chosen + [image_id for image_id in image_ids if image_id not in chosen][: count - len(chosen)]


def disagreeing(found: Runs, count: int) -> list[str]:
    """The photos on which the runs' scores lie farthest apart; none if all agree."""
    spread = {image_id: apart(found, image_id) for image_id in found.image_ids}
    ordered = sorted((i for i in spread if spread[i] > 0), key=lambda image_id: (-spread[image_id], image_id))
    return ordered[:count]


def apart(found: Runs, image_id: str) -> float:
    every = [found.comparison.scores[name][found.decides].per_image[image_id] for name in found.names]
    return max(every) - min(every)


def failures_of(found: Runs, run: str, image_id: str) -> dict[str, str]:
    most = found.runs[run].recipe.get("decode", {}).get("max_length")
    return of_run(found.comparison, run, image_id, most)


def failing(found: Runs) -> dict[str, dict[str, dict[str, str]]]:
    """By kind of failure, by run: image_id -> what is wrong."""
    by_kind: dict[str, dict[str, dict[str, str]]] = {kind: {name: {} for name in found.names} for kind in KINDS}
    for name in found.names:
        for image_id in found.image_ids:
            for kind, why in failures_of(found, name, image_id).items():
                by_kind[kind][name][image_id] = why
    return by_kind


def examples(by_run: dict[str, dict[str, str]], count: int) -> Sequence[tuple[str, str]]:
    """(run, image_id) of some failures: one run after the other, each photo once, so that no run fills the row."""
    waiting = {name: list(found) for name, found in by_run.items()}
    chosen: dict[str, str] = {}
    while any(waiting.values()) and len(chosen) < count:
        for name, image_ids in waiting.items():
            while image_ids and image_ids[0] in chosen:
                image_ids.pop(0)
            if image_ids:
                chosen[image_ids.pop(0)] = name
    return [(name, image_id) for image_id, name in chosen.items()][:count]
