"""METEOR with the tables of the wheel against the Java program's values; skipped where no index lies ready.

Making the index takes minutes, so these run where METEOR_TEST_CACHE names a Showtell cache (it is filled if empty).
"""

import os

import numpy as np
import pytest

from showtell.metrics import meteor
from showtell.metrics.metric import Texts

# Captions of COCO val2017 (CC BY 4.0, COCO Consortium), tokenized, with pycocoevalcap 1.2's METEOR: one against four.
GOLD = [
    (
        "a living area with a television and a table",
        [
            "a woman stands in the dining area at the table",
            "a room with chairs a table and a woman in it",
            "a woman standing in a kitchen by a window",
            "a person standing at a table in a room",
        ],
        0.2300893651,
    ),
    (
        "a close up picture of a brown bear 's face",
        [
            "a big burly grizzly bear is show with grass in the background",
            "the large brown bear has a black nose",
            "closeup of a brown bear sitting in a grassy area",
            "a large bear that is sitting on grass",
        ],
        0.2061424568,
    ),
    (
        "a bed room with a neatly made bed a window and a book shelf",
        [
            "bedroom scene with a bookcase blue comforter and window",
            "a bedroom with a bookshelf full of books",
            "this room has a bed with blue sheets and a large bookcase",
            "a bed and a mirror in a small room",
        ],
        0.2357441969,
    ),
    (
        "a stop sign installed upside down on a street corner",
        [
            "a stop sign is mounted upside-down on it 's post",
            "a stop sign that is hanging upside down",
            "an upside down stop sign by the road",
            "a stop sign put upside down on a metal pole",
        ],
        0.3508769694,
    ),
    (
        "three stuffed bears hugging and sitting on a blue pillow",
        [
            "three teddy bears each a different color snuggling together",
            "three stuffed animals are sitting on a bed",
            "three teddy bears giving each other a hug",
            "a group of three stuffed animal teddy bears",
        ],
        0.2912777159,
    ),
]

# The references of one photo as one long caption, against those of each other photo: its program's values.
LONG = [0.10584527563945, 0.08499537307837, 0.11086844126301, 0.07535051048594, 0.07028653933046]


@pytest.fixture(autouse=True)
def cache(monkeypatch):
    folder = os.environ.get("METEOR_TEST_CACHE")
    if not folder or meteor.missing():
        pytest.skip("needs pycocoevalcap and METEOR_TEST_CACHE=DIR")
    monkeypatch.setenv("SHOWTELL_CACHE", folder)


@pytest.mark.parametrize(("candidate", "references", "value"), GOLD)
def test_values_are_the_java_programs(candidate, references, value):
    rows = meteor.statistics(Texts([candidate], [references]))
    assert float(meteor.METEOR.value(rows, 1)[0]) == pytest.approx(value, abs=1e-9)


def test_values_of_long_captions_are_the_java_programs():
    long = [" ".join(references) for _, references, _ in GOLD]
    rows = meteor.statistics(Texts(long, [[other for other in long if other != text] for text in long]))
    assert meteor.METEOR.value(rows, 1).tolist() == pytest.approx(LONG, abs=1e-9)


def test_captions_together_score_as_each_alone():
    texts = Texts([candidate for candidate, _, _ in GOLD], [references for _, references, _ in GOLD])
    assert np.allclose(meteor.METEOR.value(meteor.statistics(texts), 1), [value for *_, value in GOLD], atol=1e-9)
