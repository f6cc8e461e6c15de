"""The consensus of the nearest photos' captions, against a slow one written from the definition."""

import math
import random
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch

from showtell.captioners.neighbours import Neighbours
from showtell.metrics.cider import CiderD
from showtell.plumbing.errors import InputError

WORDS = ["a", "a", "the", "dog", "red", "ball", "runs", "on", "grass", "two", "men"]


def photos(count=13, seed=0):
    """Vectors (count 6), and 1 to 4 captions for each photo; some captions are the same, one is empty."""
    draw = random.Random(seed)
    captions = [
        [" ".join(draw.choices(WORDS, k=draw.randint(2, 9))) for _ in range(draw.randint(1, 4))] for _ in range(count)
    ]
    captions[3] = [captions[2][0], "", captions[2][0]]
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)) + 2, captions


@cache
def ngrams(text, n):
    words = text.split()
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


@cache
def photos_with(captions, n):
    """How many photos have each n-gram."""
    return Counter(gram for of_photo in captions for gram in {g for text in of_photo for g in ngrams(text, n)})


def slow_cider_d(candidate, reference, captions):
    """Of one candidate against one reference, document frequencies counted by photo (Vedantam et al. 2015)."""
    total = 0.0
    for n in (1, 2, 3, 4):
        having = photos_with(tuple(map(tuple, captions)), n)

        def vector(text, n=n, having=having):
            return {g: c * (math.log(len(captions)) - math.log(max(1, having[g]))) for g, c in ngrams(text, n).items()}

        ours, theirs = vector(candidate), vector(reference)
        lengths = math.sqrt(sum(v * v for v in ours.values())) * math.sqrt(sum(v * v for v in theirs.values()))
        total += sum(min(v, theirs[g]) * theirs[g] for g, v in ours.items() if g in theirs) / lengths if lengths else 0
    apart = sum(ngrams(candidate, 2).values()) - sum(ngrams(reference, 2).values())
    return 10 * total / 4 * math.exp(-(apart**2) / (2 * 6.0**2))


def slow_caption(vector, vectors, captions, k, scale):
    """The definition in loops; of equals the first, nearer photos before farther ones."""
    centre = vectors.mean(0) if scale != "none" else torch.zeros(6)
    deviation = ((vectors - vectors.mean(0)) ** 2).mean(0).sqrt() if scale == "standardise" else torch.ones(6)
    rows, row = (vectors - centre) / deviation, (vector - centre) / deviation
    cosines = [float(row @ other / row.norm() / other.norm()) for other in rows]
    nearest = sorted(range(len(rows)), key=lambda i: -cosines[i])[:k]
    candidates = [text for photo in nearest for text in captions[photo]]
    means = [
        sum(slow_cider_d(text, other, captions) for j, other in enumerate(candidates) if j != i)
        / max(len(candidates) - 1, 1)
        for i, text in enumerate(candidates)
    ]
    return candidates[max(range(len(means)), key=lambda i: (round(means[i], 9), -i))]


@pytest.mark.parametrize("scale", ["none", "centre", "standardise"])
@pytest.mark.parametrize("k", [1, 2, 4, 13])
def test_the_caption_is_that_of_the_definition(k, scale):
    vectors, captions = photos()
    others = torch.randn(9, 6, generator=torch.Generator().manual_seed(7)) + 2
    said = Neighbours(k=k, scale=scale).fit(vectors, captions).describe(others)
    assert said == [slow_caption(vector, vectors, captions, k, scale) for vector in others]
    assert len(set(said)) > (k < 13)


def test_captions_against_each_other_are_scored_as_one_by_one():
    _, captions = photos()
    cider, flat = CiderD(captions), [text for of_photo in captions for text in of_photo]
    places = np.array([7, 0, 3, 5, 6, 12, 2])
    slow = [[slow_cider_d(flat[i], flat[j], captions) for j in places] for i in places]
    assert cider.alike(places) == pytest.approx(np.array(slow), abs=1e-12)
    alone = CiderD([[flat[j]] for j in places], frequencies_of=captions)
    for column, row in enumerate(cider.alike(places).T):
        assert row == pytest.approx(alone.scores([flat[i] for i in places], images=[column] * len(places)), abs=1e-9)


def test_a_photo_has_the_same_neighbours_in_any_batch_to_the_last_bit():
    vectors = torch.randn(300, 1280, generator=torch.Generator().manual_seed(1))
    neighbours = Neighbours(k=3).fit(vectors, [[f"a {i}"] for i in range(300)])
    some = torch.randn(7, 1280, generator=torch.Generator().manual_seed(2))
    together = neighbours._unit(some).double() @ neighbours.vectors.double().T
    for place in range(7):
        alone = neighbours._unit(some[place : place + 1]).double() @ neighbours.vectors.double().T
        assert torch.equal(alone[0], together[place])


def test_k_is_chosen_on_training_photos_held_out():
    """Photos come in two kinds; all of a kind have captions that share one phrase, so more neighbours say it surer."""
    draw = random.Random(0)
    kinds = [i % 2 for i in range(80)]
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[kinds] + 0.1 * torch.randn(
        80, 2, generator=torch.Generator().manual_seed(0)
    )
    phrases = ["two planes stand on a runway", "boats lie in the harbour"]
    noise = ["grey grey", "old thing here", "seen from far above", "nobody knows"]
    captions = [[phrases[kind] if draw.random() < 0.4 else draw.choice(noise)] for kind in kinds]
    chosen = Neighbours(choices=(1, 9, 1000)).fit(vectors, captions)
    assert chosen.k == 9 and set(chosen.tried) == {1, 9}
    assert chosen.tried[9] > chosen.tried[1]
    assert chosen.describe(torch.eye(2)) == phrases
    again = Neighbours(choices=(1, 9)).fit(vectors, captions)
    assert again.tried == chosen.tried
    assert Neighbours(choices=(1, 9)).fit(vectors, captions, seed=1).tried != chosen.tried


def test_of_ks_as_good_the_smallest_is_taken():
    assert Neighbours(choices=(3, 2)).fit(torch.randn(30, 4), [["a dog"]] * 30).k == 2


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_photos_are_enough(count):
    vectors, captions = photos(13)
    neighbours = Neighbours().fit(vectors[:count], captions[:count])
    assert neighbours.describe(vectors[:1])[0] in [text for of_photo in captions[:count] for text in of_photo]


def test_a_k_above_the_photos_is_refused():
    vectors, captions = photos(5)
    with pytest.raises(InputError, match=r"^captioner.k is 6; it takes at most 5, the number of training photos$"):
        Neighbours(k=6).fit(vectors, captions)


def test_a_channel_without_differences_does_no_harm():
    vectors, captions = photos()
    vectors[:, 2] = 5.0
    assert all(Neighbours(k=3).fit(vectors, captions).describe(vectors))
