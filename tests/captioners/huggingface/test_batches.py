"""Batches of a captioner of others: they shrink when memory ends, and smaller ones say the same."""

import pytest
import torch

import showtell
from showtell.captioners.huggingface import answers as generation
from showtell.captioners.huggingface.batches import in_batches
from showtell.plumbing.errors import InputError
from tests.captioners.huggingface.tiny import folder
from tests.captioners.huggingface.used import paths


def test_batches_shrink_until_memory_has_room():
    sizes = []

    def work(some):
        sizes.append(len(some))
        if len(some) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [2 * each for each in some]

    assert in_batches(range(7), 8, work) == ([0, 2, 4, 6, 8, 10, 12], 2)
    assert sizes == [7, 4, 2, 2, 2, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_no_room_for_one_photo_is_an_error_with_advice(blip, monkeypatch, error):
    def full(*_, **__):
        raise error

    monkeypatch.setattr(generation, "_generated", full)
    with pytest.raises(InputError, match=r"one photo.*decode\.num_beams"):
        showtell.load(folder("blip")).caption(paths())


def test_another_error_is_not_tried_again():
    calls = []

    def work(some):
        calls.append(len(some))
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        in_batches([1, 2], 2, work)
    assert calls == [2]


def test_smaller_batches_say_the_same_and_are_remembered(monkeypatch):
    captioner, usual = showtell.load(folder("llava")), generation._generated
    wanted = captioner.caption(paths(), max_length=6)

    def small(found):
        if len(found.sequences) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return usual(found)

    monkeypatch.setattr(generation, "_generated", small)
    found = captioner.caption(paths(), max_length=6)
    assert [c.tokens for c in found] == [c.tokens for c in wanted]
    assert captioner.at_once == 2
