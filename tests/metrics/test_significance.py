"""Intervals by resampling: against the plainest way, and against what statistics says they must be."""

import numpy as np
import pytest

from showtell.metrics import METRICS, score
from showtell.metrics.bleu import bleu
from showtell.metrics.metric import Metric, Texts
from showtell.metrics.significance import added, draw, intervals

MEAN = Metric(lambda texts: np.zeros((0, 1)))


def test_every_resample_draws_as_many_images_as_there_are():
    times = draw(np.random.default_rng(0), 50, 7)
    assert times.shape == (50, 7)
    assert (times.sum(axis=1) == 7).all()
    assert times.mean(axis=0) == pytest.approx(np.ones(7), abs=0.5)


def test_added_rows_are_those_of_the_images_drawn(monkeypatch):
    rows = np.random.default_rng(1).random((6, 3))
    plain = draw(np.random.default_rng(2), 20, 6)
    sums = [sum(times * row for times, row in zip(resample, rows, strict=True)) for resample in plain]
    assert added(rows, 20, seed=2) == pytest.approx(np.array(sums))


def test_the_interval_of_a_mean_is_what_statistics_expects():
    """1.96 standard errors each way: .098 for 400 images of a standard deviation of 1."""
    rows = np.random.default_rng(3).standard_normal((400, 1))
    (span,) = intervals([MEAN], [rows], resamples=4000)
    error = 1.96 * rows.std() / 20
    assert span == pytest.approx((rows.mean() - error, rows.mean() + error), abs=0.01)


def test_a_resample_of_bleu_is_the_bleu_of_its_images():
    said = ["a dog runs on the beach", "two cars in the rain", "a cat", "snow on the roof of a house"]
    known = [["a dog runs on a beach"], ["two red cars in the rain"], ["the cat"], ["snow on a roof"]]
    metric, rows = bleu(2), bleu(2).statistics(Texts(said, known))
    times = draw(np.random.default_rng(0), 1, 4)[0].astype(int)
    drawn = np.repeat(np.arange(4), times)
    again = bleu(2).statistics(Texts([said[i] for i in drawn], [known[i] for i in drawn]))
    assert metric.value(added(rows, 1, seed=0)[0], 4) == pytest.approx(metric.value(again.sum(axis=0), 4))


def test_one_image_or_no_resamples_give_no_interval():
    assert intervals([MEAN], [np.ones((1, 1))]) == [None]
    assert intervals([MEAN], [np.ones((5, 1))], resamples=0) == [None]
    assert intervals([], []) == []


def test_a_figure_of_the_whole_set_has_none():
    assert intervals([MEAN._replace(resampled=False), MEAN], [np.ones((5, 1))] * 2) == [None, (1.0, 1.0)]


def test_the_same_texts_have_the_same_interval(monkeypatch):
    said = {str(i): text for i, text in enumerate(["a dog", "a red car", "two cats on a bed"])}
    known = {image_id: [text + " here"] for image_id, text in said.items()}
    one, other = (score(said, known, "BLEU-1")["BLEU-1"] for _ in range(2))
    assert one.interval == other.interval
    assert one.signature.endswith("|interval 95 % of 1000 resamples")
    assert METRICS["BLEU-1"].resampled
