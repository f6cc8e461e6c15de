"""Captions that hypothesis makes, compared with the Java program itself; skipped where it or Java is not installed.

`pip install --no-deps pycocoevalcap==1.2` (a wheel of 104 MB) and a Java runtime are all it needs. Captions go to Java
by the hundred, since it takes a third of a second to start.
"""

import shutil

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from showtell.metrics.tokenize import tokenize

WORDS = [
    *("a", "the", "The", "A", "dog", "Two", "it's", "don't", "cannot", "men's", "T-shirt", "2-year-old", "red/white"),
    *("U.S.", "a.m.", "Mr.", "St.", "etc.", "Inc.", "no.", "b.", "B.", "No", "I", "5", "10:30", "1,000", "1/2", "½"),
    *(
        "3rd",
        "'90s",
        "$5",
        "50%",
        "20°C",
        "café",
        "cafe\u0301",
        "日本",
        "привет",
        "हिन्दी",
        "😀",
        "👍🏽",
        "\u200b",
        "\xa0",
    ),
    *("www.a.com", "http://a.com/b", "x.com", "me@b.co", "#tag", "@me", "1.jpg", "AT&T", "&amp;", "<b>", "</b>", ":)"),
]
SIGNS = [*".,;:!?'\"`-_/()[]{}<>&%$#@*+=~^|’‘“”«»–—…×©™²€£", "...", "--", "''", "``", "'s", "n't", "’s", " ", " ", " "]
CAPTION = st.lists(st.sampled_from(WORDS + SIGNS), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def java():
    ptb = pytest.importorskip("pycocoevalcap.tokenizer.ptbtokenizer")
    if not shutil.which("java"):
        pytest.skip("Java is not installed")

    def java(captions):
        """A plain line follows each caption: Java lets the next line decide about a last single letter."""
        lines = {place: [{"caption": caption}, {"caption": "zz"}] for place, caption in enumerate(captions)}
        return [tokens for tokens, _ in ptb.PTBTokenizer().tokenize(lines).values()]

    return java


@pytest.mark.parametrize("space", ["", " "])
@given(captions=st.lists(CAPTION, min_size=100, max_size=100))
@settings(max_examples=4, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
def test_tokens_equal_javas_on_whatever_hypothesis_makes(java, space, captions):
    texts = [space.join(pieces) for pieces in captions]
    wrong = {text: (tokenize(text), tokens) for text, tokens in zip(texts, java(texts), strict=True)}
    assert {text: pair for text, pair in wrong.items() if pair[0] != pair[1]} == {}
