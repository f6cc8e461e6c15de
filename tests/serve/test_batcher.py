"""Photos that arrive together are captioned together; a full queue, a late answer and a lost client cost one photo."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from showtell.serve.batcher import Batcher
from showtell.serve.limits import Limits, Refused
from showtell.serve.metrics import Metrics


def batched(scenario, work=None, **limits):
    """Run `scenario(batcher)`; returns its result and the batches that were captioned."""
    batches = []

    def note(settings, photos):
        batches.append((settings, list(photos)))
        return (work or (lambda photos: [f"{settings}{photo}" for photo in photos]))(photos)

    async def run():
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(note, executor, Limits(**limits), Metrics())
            batcher.start()
            result = await scenario(batcher)
            await batcher.drain()
            return result

    return asyncio.run(run()), batches


def submit(batcher, *jobs):
    places = batcher.reserve(len(jobs))
    return [batcher.submit(photo, settings, places) for settings, photo in jobs]


def test_a_batch_has_equal_settings_and_the_first_come_first():
    async def scenario(batcher):
        return await asyncio.gather(*submit(batcher, ("a", 1), ("a", 2), ("b", 3), ("a", 4), ("a", 5)))

    results, batches = batched(scenario, batch=3)
    assert results == ["a1", "a2", "b3", "a4", "a5"]
    assert batches == [("a", [1, 2, 4]), ("b", [3]), ("a", [5])]


def test_a_photo_waits_for_others_only_for_a_moment():
    async def scenario(batcher):
        first = submit(batcher, ("a", 1))
        await asyncio.sleep(0.02)
        second = submit(batcher, ("a", 2))
        began = time.monotonic()
        await asyncio.gather(*first, *second)
        return time.monotonic() - began

    seconds, batches = batched(scenario, wait=0.2)
    assert batches == [("a", [1, 2])] and seconds < 2


def test_a_full_batch_does_not_wait():
    async def scenario(batcher):
        await asyncio.wait_for(asyncio.gather(*submit(batcher, ("a", 1), ("a", 2))), 5)

    assert batched(scenario, batch=2, wait=60)[1] == [("a", [1, 2])]


def test_a_full_queue_says_when_to_come_again():
    async def scenario(batcher):
        submit(batcher, *(("a", photo) for photo in range(4)))
        batcher.per_second = 2
        with pytest.raises(Refused) as refused:
            batcher.reserve(2)
        assert batcher.reserve(1).left == 1
        return refused.value

    refused, _ = batched(scenario, queue=5, wait=0.2)
    assert refused.status == 503 and refused.retry_after == 2


def test_a_queue_that_is_too_long_for_the_time_is_full():
    async def scenario(batcher):
        batcher.per_second = 1
        submit(batcher, ("a", 1), ("a", 2))
        with pytest.raises(Refused) as refused:
            batcher.reserve(6)
        return refused.value.retry_after, batcher.reserve(5).left

    assert batched(scenario, answer_time=10, wait=0.2)[0] == (2, 5)


def test_who_left_is_skipped():
    async def scenario(batcher):
        first, second, third = submit(batcher, ("a", 1), ("a", 2), ("a", 3))
        second.cancel()
        await asyncio.gather(first, third)
        return batcher.metrics.total("skipped")

    assert batched(scenario) == (1, [("a", [1, 3])])


def test_what_was_begun_is_finished_at_the_end():
    async def scenario(batcher):
        return submit(batcher, ("a", 1), ("b", 2))

    futures, batches = batched(scenario, wait=60)
    assert [future.result() for future in futures] == ["a1", "b2"] and len(batches) == 2


def test_no_photo_comes_after_the_end():
    async def scenario(batcher):
        await batcher.drain()
        with pytest.raises(Refused, match="shutting down"):
            batcher.reserve(1)

    batched(scenario)


def test_a_bad_photo_costs_only_itself():
    def work(photos):
        if "bad" in photos:
            raise ValueError("refused")
        return [f"fine {photo}" for photo in photos]

    async def scenario(batcher):
        return await asyncio.gather(*submit(batcher, ("a", 1), ("a", "bad"), ("a", 3)), return_exceptions=True)

    results, _ = batched(scenario, work)
    assert (results[0], results[2]) == ("fine 1", "fine 3") and isinstance(results[1], ValueError)


def test_while_the_model_works_the_next_batch_gathers():
    begun, go = threading.Event(), threading.Event()

    def work(photos):
        begun.set()
        go.wait(5)
        return photos

    async def scenario(batcher):
        first = submit(batcher, ("a", 0))
        await asyncio.to_thread(begun.wait, 5)
        others = [submit(batcher, ("a", photo))[0] for photo in range(1, 5)]
        go.set()
        return await asyncio.gather(*first, *others)

    _, batches = batched(scenario, work, wait=0)
    assert batches == [("a", [0]), ("a", [1, 2, 3, 4])]


def test_clients_that_left_keep_no_places_while_the_model_works():
    go = threading.Event()

    async def scenario(batcher):
        first = submit(batcher, ("a", 1))
        await asyncio.sleep(0.1)  # the model works on it now
        for future in submit(batcher, ("b", 2), ("b", 3), ("b", 4)):
            future.cancel()
        batcher.per_second = 100
        (last,) = submit(batcher, ("c", 5))
        go.set()
        await asyncio.gather(*first)
        return await last

    result, _ = batched(scenario, lambda photos: go.wait(5) and photos, queue=3, wait=0.01)
    assert result == 5
