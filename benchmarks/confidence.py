"""Does a captioner know when it is wrong? `python -m benchmarks.confidence MODEL DATA [KEY=VALUE ..]`

It captions the validation photos of DATA. A caption's confidence is the mean log-probability of its words. The area
under the ROC curve is the probability that a wrong caption has a lower confidence than a right one: 1 if that always
holds, .5 if confidence says nothing. "Wrong" is said in three ways, since nobody judged the captions.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console

import showtell
from benchmarks.results.page import head, number, row
from showtell.data import DATA
from showtell.metrics import chair
from showtell.metrics.score import read, score
from showtell.metrics.significance import LEVEL
from showtell.predict.album.confidence import mean_log_prob
from showtell.predict.captions import caption_records
from showtell.settings.text import override

RESAMPLES, SEED = 1000, 0
Wrong = Mapping[str, bool]  # by photo; one that cannot be judged is left out


def area(confidence: np.ndarray, wrong: np.ndarray) -> float:
    """The share of pairs of a wrong and a right caption in which the wrong one is less sure; a tie counts half.

    >>> area(np.array([-2.0, -1.0, -0.5, -0.1]), np.array([True, False, True, False]))
    0.75
    """
    low, high = confidence[wrong][:, None], confidence[~wrong]
    return float(((low < high) + (low == high) / 2).mean())


def interval(confidence: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """95 % over resampled photos."""
    draw, areas = np.random.default_rng(SEED), []
    for _ in range(RESAMPLES):
        chosen = draw.integers(len(wrong), size=len(wrong))
        if 0 < wrong[chosen].sum() < len(wrong):
            areas.append(area(confidence[chosen], wrong[chosen]))
    low, high = np.quantile(areas, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def lowest_quarter(values: Mapping[str, float]) -> Wrong:
    limit = np.quantile(list(values.values()), 0.25)
    return {name: value <= limit for name, value in values.items()}


def main(model: str, root: str, *overrides: str) -> None:
    console = Console(stderr=True)
    settings = override({}, [f"data.{item}" for item in overrides]).get("data", {})
    records = [r for r in DATA["auto"](root=Path(root), **settings) if r.split == "val" and r.references]
    captioner = showtell.load(model)
    records, captions = caption_records(captioner, records, console=console)
    references = {record.image_id: list(record.references) for record in records}
    texts = {name: caption.text for name, caption in captions.items()}
    values = score(texts, references, "CIDEr-D", resamples=0)["CIDEr-D"].per_image
    ways = {
        "its CIDEr-D is in the lowest quarter": lowest_quarter(values),
        "its CIDEr-D is under .1": {name: value < 0.1 for name, value in values.items()},
        "it names one of COCO's objects that no person named": made_up(texts, references),
    }
    print("\n".join(head(["a caption is wrong if", "captions", "wrong", "area under the curve"])))
    for told, wrong in ways.items():
        known = {name: mean_log_prob(captioner, captions[name]) for name in wrong}
        confidence = np.array([known[name] for name in wrong], dtype=float)
        truth = np.array(list(wrong.values()))
        low, high = interval(confidence, truth)
        found = f"{number(area(confidence, truth))} [{number(low)}, {number(high)}]"
        print(row([told, f"{len(truth):,}", f"{truth.mean():.0%}", found]))


def made_up(texts: Mapping[str, str], references: Mapping[str, list[str]]) -> Wrong:
    """Of the captions that name an object at all."""
    rows = chair.statistics(read(texts, references))  # whether one is made up, how many are, all mentions
    return {name: bool(wrong) for name, (wrong, _, mentioned) in zip(texts, rows, strict=True) if mentioned}


if __name__ == "__main__":
    main(*sys.argv[1:])
