"""Every benchmark runs at tiny sizes: it may say nothing there, but it cannot rot."""

import pytest

from benchmarks.__main__ import BENCHMARKS

SLOW = {"start", "generate", "reading", "epoch", "exported", "limit"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in BENCHMARKS])
def test_it_runs(name: str) -> None:
    ratios = BENCHMARKS[name](quick=True)
    assert ratios and all(0 < ratio.least <= ratio.median <= ratio.most for ratio in ratios)
    assert any(ratio.target for ratio in ratios)
