"""The two sides of the benchmark `generate`: the same captions, and a process that says its peak of memory."""

import sys

import pytest
import torch

from benchmarks import sides, timing


@pytest.fixture
def folders(tmp_path):
    return {
        "gpt2": sides.write_gpt2(tmp_path / "gpt2", quick=True),
        "language_model": sides.write_llama(tmp_path / "llama"),
    }


@pytest.mark.parametrize("kind", sides.SIZES)
def test_both_sides_write_the_same_captions(folders, kind):
    ours, theirs = (sides.SIDES[kind, side](folders[kind], "fp32", sides.QUICK[kind])() for side in ("ours", "theirs"))
    assert ours.shape == (2, sides.WORDS)
    assert torch.equal(ours, theirs)


def test_a_process_says_its_peak_of_memory(folders, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sides", "gpt2", "ours", "bf16", folders["gpt2"], "--quick"])
    sides.main()
    assert 50 < float(capsys.readouterr().out) < 100_000  # MiB


def test_several_ways_are_timed_against_one_peer_in_turn():
    called = []
    ours = {name: lambda name=name: called.append(name) for name in ("a", "b")}
    ratios = timing.compare_all(ours, lambda: called.append("peer"), 2)
    assert called == ["a", "b", "peer"] * 3  # the first time is not measured
    assert list(ratios) == ["a", "b"]


def test_processor_time_does_not_count_sleep(monkeypatch):
    import time

    monkeypatch.setattr(timing.clock, "name", "processor")
    assert timing.seconds(lambda: time.sleep(0.05)) < 0.04
