"""Intervals and paired tests: against the plainest way, and against what statistics says they must be."""

import itertools
import math

import numpy as np
import pytest

from showtell.metrics import METRICS
from showtell.metrics.bleu import bleu
from showtell.metrics.cider import CIDER_D
from showtell.metrics.metric import Metric, Texts
from showtell.metrics.score import score
from showtell.metrics.significance import added, draw, holm, intervals, paired, swapped, toss

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


def test_rows_that_metrics_share_are_added_once_and_give_the_numbers_of_rows_of_their_own(monkeypatch):
    generator = np.random.default_rng(4)
    counts, cider = generator.integers(1, 9, (2, 30, 10)), generator.random((2, 30, 1))
    metrics, seen = [*map(bleu, (1, 2, 3, 4)), CIDER_D], []
    one, other = ([of_run] * 4 + [more] for of_run, more in zip(counts, cider, strict=True))
    alone, others = ([rows.copy() for rows in of_run] for of_run in (one, other))
    apart, pairs = intervals(metrics, alone), paired(metrics, alone, others)
    monkeypatch.setattr(
        "showtell.metrics.significance.added", lambda rows, *rest: seen.append(rows.shape[1]) or added(rows, *rest)
    )
    assert np.allclose(intervals(metrics, one), apart, rtol=1e-12)
    for pair, wanted in zip(paired(metrics, one, other), pairs, strict=True):
        assert pair.difference == wanted.difference and pair.p_bootstrap == wanted.p_bootstrap
        assert pair.interval == pytest.approx(wanted.interval, rel=1e-12) and pair[3:] == wanted[3:]
    assert seen == [11, 22]


def test_what_one_side_alone_shares_is_not_mixed_up():
    generator = np.random.default_rng(5)
    shared, first, second = generator.integers(1, 9, (3, 20, 10))
    metrics = [bleu(1), bleu(2)]
    found = paired(metrics, [shared, shared], [first, second])
    assert found == [
        paired([metric], [shared], [rows])[0] for metric, rows in zip(metrics, (first, second), strict=True)
    ]


def test_the_same_texts_have_the_same_interval(monkeypatch):
    said = {str(i): text for i, text in enumerate(["a dog", "a red car", "two cats on a bed"])}
    known = {image_id: [text + " here"] for image_id, text in said.items()}
    one, other = (score(said, known, "BLEU-1")["BLEU-1"] for _ in range(2))
    assert one.interval == other.interval
    assert one.signature.endswith("|interval 95 % of 1000 resamples")
    assert METRICS["BLEU-1"].resampled


SAID = ["a dog runs on the beach", "two cars in the rain", "a cat", "snow on the roof of a house", "a man", "red boats"]
OTHER = ["a dog on a beach", "two red cars in the rain", "the cat", "a snow roof", "a man rides a horse", "boats"]
KNOWN = [
    ["a dog runs on a beach", "the beach has a dog"],
    ["two red cars in the rain", "cars"],
    ["the cat", "a cat sleeps on a bed"],
    ["snow on a roof", "a house with snow on the roof"],
    ["a man rides a horse", "a horse and a man"],
    ["red boats on a lake", "boats on the water"],
]
METRIC_OF_TEXTS = {"BLEU-2": bleu(2), "CIDEr-D": CIDER_D}


def test_equal_runs_differ_by_nothing_and_p_is_one():
    rows = [metric.statistics(Texts(SAID, KNOWN)) for metric in METRIC_OF_TEXTS.values()]
    for resamples in (50, 200):  # drawn swaps, and all 64 of them
        for found in paired(list(METRIC_OF_TEXTS.values()), rows, rows, resamples):
            assert found == (0.0, (0.0, 0.0), 1.0, 1.0, resamples == 200)


@pytest.mark.parametrize("name", METRIC_OF_TEXTS)
def test_all_swaps_are_those_of_a_plain_loop_over_the_texts(name):
    """Each of the 64 ways to swap candidates, the metric computed anew from the swapped texts."""
    metric = METRIC_OF_TEXTS[name]

    def value(said):
        return metric.value(metric.statistics(Texts(said, KNOWN)).sum(axis=0), 6)

    differences = []
    for swaps in itertools.product([False, True], repeat=6):
        mixed = [(b, a) if swap else (a, b) for a, b, swap in zip(SAID, OTHER, swaps, strict=True)]
        ours, theirs = zip(*mixed, strict=True)
        differences.append(value(theirs) - value(ours))
    wanted = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-9)
    rows = [metric.statistics(Texts(said, KNOWN)) for said in (SAID, OTHER)]
    (found,) = paired([metric], rows[:1], rows[1:], resamples=64)
    assert found.difference == pytest.approx(differences[0]) and found.difference != 0
    assert found.exact and found.p_randomization == pytest.approx(wanted) and 2 / 64 < wanted < 1


def test_drawn_swaps_come_near_to_all_of_them():
    rows = np.random.default_rng(5).standard_normal((12, 2))[:, :1], np.random.default_rng(6).random((12, 1))
    (every,) = paired([MEAN], rows[:1], rows[1:], resamples=4096)
    (drawn,) = paired([MEAN], rows[:1], rows[1:], resamples=4095)
    assert every.exact and not drawn.exact
    assert drawn.p_randomization == pytest.approx(every.p_randomization, abs=4 * 0.5 / 4095**0.5)


def test_the_bleu_of_swapped_rows_is_that_of_swapped_texts():
    """A sum of rows, not of values: BLEU of a corpus is no mean over its images."""
    metric = bleu(4)
    a, b = (metric.statistics(Texts(said, KNOWN)) for said in (SAID, OTHER))
    moved, exact = swapped(b - a, 3, seed=7)
    coins = toss(np.random.default_rng(7), 3, 6).astype(bool)
    assert not exact and coins.any() and not coins.all()
    for moves, coin in zip(moved, coins, strict=True):
        said = [theirs if swap else ours for ours, theirs, swap in zip(SAID, OTHER, coin, strict=True)]
        again = metric.statistics(Texts(said, KNOWN)).sum(axis=0)
        assert metric.value(a.sum(axis=0) + moves, 6) == pytest.approx(metric.value(again, 6), rel=1e-9)


def test_the_paired_interval_and_both_p_of_a_mean_are_what_statistics_expects():
    """Normal theory: the standard error is that of the differences, far less than either one's own."""
    generator = np.random.default_rng(8)
    first = generator.standard_normal((400, 1)) * 5  # how hard an image is, which is so for both
    differences = generator.standard_normal((400, 1))
    error = differences.std() / 20
    differences += 1.3 * error - differences.mean()
    (found,) = paired([MEAN], [first], [first + differences], resamples=8000)
    assert found.difference == pytest.approx(1.3 * error)
    assert found.interval == pytest.approx(((1.3 - 1.96) * error, (1.3 + 1.96) * error), abs=0.1 * error)
    p = math.erfc(1.3 / 2**0.5)  # .194
    assert found.p_bootstrap == pytest.approx(p, abs=0.015)
    assert found.p_randomization == pytest.approx(p, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.05, 0.2])
def test_of_equal_systems_a_test_errs_as_often_as_its_level_says(level):
    """600 pairs of systems without a difference: the share that is called different, within 3.3 standard errors."""
    shares = []
    for seed in range(600):
        generator = np.random.default_rng(seed)
        rows = generator.exponential(size=(2, 60, 1)) + generator.exponential(size=(60, 1))
        (found,) = paired([MEAN], rows[:1], rows[1:], resamples=200, seed=seed)
        shares.append((found.p_bootstrap <= level, found.p_randomization <= level))
    error = (level * (1 - level) / 600) ** 0.5
    assert np.mean(shares, axis=0) == pytest.approx([level, level], abs=3.3 * error)


def test_a_planted_difference_is_found_in_either_direction():
    generator = np.random.default_rng(9)
    rows = generator.standard_normal((2, 300, 1))
    for sign in (1, -1):
        (found,) = paired([MEAN], rows[:1], rows[1:] + sign * 0.5)
        assert sign * found.difference > 0.2
        assert found.p_bootstrap == found.p_randomization == 1 / 1001
        assert min(sign * end for end in found.interval) > 0


def test_two_captioners_of_few_images_are_never_called_different():
    """Five images have 32 swaps, of which two are as large at least: whatever the difference, p is not below 1/16."""
    (found,) = paired([MEAN], [np.zeros((5, 1))], [np.ones((5, 1))])
    assert found.exact and found.p_randomization == 2 / 32


REPEATS, CHAIR_I = METRICS["repeats-4"], METRICS["CHAIRi"]


def repeating(count, said, images=200):
    """Rows of `repeats`: `count` captions repeat one n-gram, of as many as each says."""
    parts = np.zeros(images)
    parts[:count] = 1
    return np.column_stack([parts, np.broadcast_to(said, images)]).astype(float)


@pytest.mark.parametrize(("count", "p"), [(0, 1), (1, 1), (2, 0.5), (4, 0.125), (6, 1 / 32)])
def test_p_of_a_share_is_that_of_the_sign_test_whatever_the_lengths(count, p):
    first, other = repeating(count, 3), repeating(0, 7)
    for one, another in ((first, other), (other, first)):
        (found,) = paired([REPEATS], [one], [another])
        assert found.p_randomization == p and found.exact == (count > 0)


@pytest.mark.parametrize("wins", [8, 7, 6])
def test_lengths_that_vary_make_p_of_a_share_no_smaller(wins):
    """Eight photos differ, of which one run repeats in `wins`; the runs say equally much, each photo another number."""
    generator = np.random.default_rng(wins)
    lengths = generator.integers(2, 9, 200)
    first, other = repeating(wins, lengths), repeating(0, generator.permutation(lengths))
    other[wins:8, 0] = 1
    (found,) = paired([REPEATS], [first], [other])
    sign_test = min(1, 2 * sum(math.comb(8, k) for k in range(wins, 9)) / 2**8)
    assert found.p_randomization >= sign_test


WIDTHS = {"BLEU-4": 10, "CHAIRi": 3, "CHAIRs": 3, "repeats-2": 2, "repeats-4": 2}


@pytest.mark.parametrize("name", [*WIDTHS, "length", "copied", "CIDEr-D"])
def test_no_p_is_below_what_the_photos_that_differ_allow(name):
    """Four of 200 photos differ, as far as they can: p is 1/8 or more, for every metric."""
    metric, width = METRICS[name], WIDTHS.get(name, 1)
    first = np.ones((200, width)) * np.arange(1, width + 1)
    other = first.copy()
    other[:4, : {10: 4, 1: 1}.get(width, width - 1)] = 0  # BLEU's matches, shares' parts
    for one, another in ((first, other), (other, first)):
        (found,) = paired([metric], [one], [another])
        assert found.difference != 0 and found.p_randomization >= 1 / 8


def test_matches_that_few_photos_have_decide_nothing():
    """BLEU-4 of 200 captions of ten and six words: four of the longer ones match one 4-gram, and no other does."""
    rows = []
    for words, matching in ((10, 4), (6, 0)):
        totals = [words, words - 1, words - 2, words - 3]
        matches = np.tile([words // 2, words // 3, words // 4, 0], (200, 1))
        matches[:matching, 3] = 1
        rows.append(np.column_stack([matches, np.tile([*totals, words, 10], (200, 1))]).astype(float))
    (found,) = paired([bleu(4)], rows[:1], rows[1:])
    assert found.difference < -0.05 and found.p_randomization >= 1 / 8


@pytest.mark.parametrize("name", ["repeats-2", "repeats-4", "CHAIRi"])
def test_contributions_to_a_share_have_it_as_their_mean(name):
    metric = METRICS[name]
    rows = np.random.default_rng(12).integers(0, 9, (30, 3)).astype(float)[:, : 3 if name == "CHAIRi" else 2]
    ways = metric.contributions(rows)
    assert ways.mean(axis=0) == pytest.approx([float(metric.value(rows.sum(axis=0), 30))] * 2)
    assert not metric.contributions(np.zeros_like(rows)).any()


def test_the_influence_on_a_share_is_that_of_leaving_an_image_out():
    rows = np.random.default_rng(13).integers(1, 9, (500, 2)).astype(float)
    without = REPEATS.value(rows.sum(axis=0) - rows, 499)
    influence = REPEATS.contributions(rows)[:, 1] - REPEATS.value(rows.sum(axis=0), 500)
    assert influence == pytest.approx(499 * (without.mean() - without), abs=0.01 * np.abs(influence).max())


def matching(generator, images, words, right):
    """Rows of BLEU: captions of about so many words, each right with this chance, of references of 9 to 13 words."""
    rows = np.zeros((images, 10))
    rows[:, 9] = generator.integers(9, 14, images)
    for row in rows:
        hits = generator.random(generator.integers(words - 2, words + 3)) < right
        row[8] = len(hits)
        for order in range(4):
            windows = np.lib.stride_tricks.sliding_window_view(hits, order + 1)
            row[order], row[4 + order] = windows.all(axis=1).sum(), len(windows)
    return rows


def tuned(words, goal, metric):
    """Photos with captions of so many words that have this BLEU."""
    low, high = 0.1, 1.0
    for _ in range(12):
        right = (low + high) / 2
        rows = matching(np.random.default_rng(words), 2000, words, right)
        low, high = (right, high) if metric.value(rows.sum(axis=0), 2000) < goal else (low, right)
    return rows


def part_of(generator, wholes, rate):
    return np.column_stack([generator.binomial(wholes, rate), wholes]).astype(float)


def with_captions(parts):
    return np.column_stack([parts[:, 0] > 0, parts]).astype(float)


def equal_systems():
    """By name: a metric, and all photos of two systems of the same score and other lengths, or another spread."""
    generator, many = np.random.default_rng(14), 20_000
    short, long = np.full(many, 3), generator.integers(1, 14, many)
    few, more = (1 + generator.poisson(mean, many) for mean in (1, 4))
    said = [generator.integers(low, high, (many, 1)) for low, high in ((8, 13), (2, 19))]
    apart = np.column_stack([generator.random(many) < 0.3, few]).astype(float)  # a part whatever the whole
    apart_more = np.column_stack([generator.random(many) < 0.3 * more.mean() / few.mean(), more]).astype(float)
    coins = [(generator.random((many, 3)) < 0.2).astype(float) for _ in range(2)]
    return {
        "rare repeats": (REPEATS, part_of(generator, short, 0.02), part_of(generator, long, 0.02)),
        "many repeats": (REPEATS, part_of(generator, short, 0.2), part_of(generator, long, 0.2)),
        "CHAIRi": (CHAIR_I, with_captions(part_of(generator, few, 0.2)), with_captions(part_of(generator, more, 0.2))),
        "CHAIRi apart": (CHAIR_I, with_captions(apart), with_captions(apart_more)),
        "CHAIRs": (METRICS["CHAIRs"], *coins),
        "length": (METRICS["length"], *said),
        "BLEU-1": (bleu(1), *(tuned(words, 0.5, bleu(1)) for words in (8, 12))),
        "BLEU-4": (bleu(4), *(tuned(words, 0.3, bleu(4)) for words in (8, 12))),
    }


def shares_called_different(systems, images, times):
    """How often p of swaps is below .05, by name, of photos drawn from all there are."""
    called = dict.fromkeys(systems, 0)
    metrics = [metric for metric, _, _ in systems.values()]
    for seed in range(times):
        generator = np.random.default_rng(seed)
        rows = [[side[generator.integers(len(side), size=images)] for side in sides] for _, *sides in systems.values()]
        found = paired(metrics, [one for one, _ in rows], [other for _, other in rows], resamples=199, seed=seed)
        for name, pair in zip(systems, found, strict=True):
            called[name] += pair.p_randomization <= 0.05
    return {name: count / times for name, count in called.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("images", "times"), [(60, 800), (200, 500)])
def test_systems_of_equal_scores_and_other_lengths_are_called_different_as_seldom_as_the_level_says(images, times):
    """At most .06, and one standard error of .01. Swapping whole captions had .07 of the repeats."""
    shares = shares_called_different(equal_systems(), images, times)
    assert max(shares.values()) <= 0.07, shares
    assert min(shares[name] for name in ("many repeats", "CHAIRs", "length")) >= 0.01, shares


def test_a_real_difference_of_shares_is_found_in_spite_of_other_lengths():
    generator = np.random.default_rng(15)
    short, long = np.full(5000, 3), generator.integers(1, 14, 5000)
    systems = {
        "repeats": (REPEATS, part_of(generator, short, 0.05), part_of(generator, long, 0.12)),
        "CHAIRi": (
            CHAIR_I,
            *(with_captions(part_of(generator, wholes, r)) for wholes, r in ((short, 0.1), (long, 0.2))),
        ),
    }
    assert min(shares_called_different(systems, 200, times=100).values()) >= 0.9


def test_metrics_are_tested_alike_alone_and_together():
    rows = np.random.default_rng(10).random((2, 2, 40, 1))
    together = paired([MEAN, MEAN], list(rows[0]), list(rows[1]))
    assert together == [paired([MEAN], [a], [b])[0] for a, b in zip(*rows, strict=True)]


def test_a_seed_repeats_a_test_and_another_does_not():
    rows = np.random.default_rng(11).random((2, 40, 1))
    one, again, other = (paired([MEAN], rows[:1], rows[1:], seed=seed) for seed in (1, 1, 2))
    assert one == again != other


def test_where_nothing_can_be_drawn_there_is_no_test():
    assert paired([MEAN], [np.ones((1, 1))], [np.zeros((1, 1))]) == [None]
    assert paired([MEAN], [np.ones((5, 1))], [np.zeros((5, 1))], resamples=0) == [None]
    assert paired([], [], []) == []
    whole = MEAN._replace(resampled=False)
    found = paired([whole, MEAN], [np.ones((5, 1))] * 2, [np.zeros((5, 1))] * 2)
    assert found[0] is None and found[1].difference == -1


def test_holms_correction_is_his_procedure():
    """Rejected at a level are those that the step-down procedure rejects, whatever the level."""
    values = [0.011, 0.2, 0.024, 0.013, 0.9]
    corrected = holm(values)
    for level in np.linspace(0.001, 1, 500):
        rejected = set()
        for rank, place in enumerate(np.argsort(values)):
            if values[place] > level / (5 - rank):
                break
            rejected.add(int(place))
        assert {place for place, p in enumerate(corrected) if p <= level} == rejected
    assert holm([]) == [] and holm([0.3]) == [0.3]
