"""Several processes learn what one learns, end together, and resume bit for bit."""

import shutil

import pytest
import torch
from rich.console import Console

from showtell.plumbing.errors import InputError
from showtell.training import loop
from showtell.training.batches import collate
from showtell.training.processes import World
from showtell.training.resume import Where
from showtell.training.setup import set_up
from tests.small import small_recipe
from tests.training.killed import equal, logged
from tests.training.launched import train_one, train_together
from tests.training.short import STILL, state


def test_the_shares_of_a_batch_have_the_gradient_of_the_whole_batch(tmp_path):
    job = set_up(small_recipe(*STILL), tmp_path / "run", False, Console(quiet=True))
    groups, special = job.plan[0][0], job.captioner.tokenizer.special
    found = []
    for size in (1, 2, 5):
        shares = [World(rank, size).share(groups) for rank in range(size)]
        batches = [collate(share, job.words, special) for share in shares if share]
        assert sum(len(share) for share in shares) == len(groups)
        count = sum(job.loss.units(captions) for _, captions in batches)
        job.optimizer.zero_grad()
        for images, captions in batches:
            (job._loss(images.tolist(), captions)[0] / count).backward()
        gradients = [part.grad.flatten() for part in job.captioner.decoder.parameters() if part.grad is not None]
        found.append((count, torch.cat(gradients)))
    assert len({count for count, _ in found}) == 1
    for _, gradient in found:
        torch.testing.assert_close(gradient, found[0][1], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_run_of_two_processes_is_not_resumed_by_one_unless_asked(tmp_path, monkeypatch):
    run = tmp_path / "run"
    few = [*STILL, "data.val_images=0", "train.max_steps=2", "train.schedule=constant"]
    with monkeypatch.context() as patch:  # a checkpoint as if another process had been there
        patch.setattr(World, "gather", lambda self, value: [value, value])
        patch.setattr(World, "from_main", lambda self, value: value)
        patch.setattr("showtell.training.job.Where", lambda **given: Where(**given | {"processes": 2}))
        train_one(run, *few)
    assert state(run)["processes"] == 2 and (run / "last" / "random-1.safetensors").exists()
    more = [*STILL, "data.val_images=0", "train.max_steps=3", "train.schedule=constant"]
    with pytest.raises(InputError, match=r"trained by 2 processes, not 1.*--other-world"):
        train_one(run, *more, resume=True)
    train_one(run, *more, resume=True, other_world=True)
    assert (state(run)["processes"], state(run)["step"]) == (1, 3)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path, monkeypatch):
    overrides = [*STILL, "train.max_steps=50", "train.epochs=20", "train.validate_every=3"]
    codes, printed = train_together(tmp_path / "two", *overrides)
    assert codes == [0, 0] and "2 processes share each batch" in printed[0] and printed[1] == ""
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    train_one(tmp_path / "one", *overrides)
    rows = [logged(tmp_path / name) for name in ("one", "two")]
    assert len(rows[0]) == len(rows[1]) == 50
    for one, two in zip(*rows, strict=True):
        assert one == pytest.approx(two, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_after_a_kill_of_any_process_two_go_on_to_the_same_end(tmp_path, rank):
    overrides = ["train.save_every=3", "train.max_steps=11", "train.ema=0.9"]  # with dropout, an encoder that trains
    train_together(tmp_path / "whole", *overrides)
    codes, printed = train_together(tmp_path / "run", *overrides, trouble=(rank, "dies", "Job.step", 8))
    assert codes[rank] == -9 and codes[1 - rank] == 2
    assert rank == 0 or "another process of this training ended" in printed[0]
    assert state(tmp_path / "run")["step"] == 6
    codes, printed = train_together(tmp_path / "run", *overrides, resume=True)
    assert codes == [0, 0] and "at step 6" in printed[0]
    assert equal(tmp_path / "run", tmp_path / "whole")
    shutil.rmtree(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("point", ["Job.check_lengths", "Job.step", "Job._loss", "Job.validate"])
def test_an_error_of_one_process_ends_all_with_one_line(tmp_path, point):
    codes, printed = train_together(tmp_path / "run", *STILL, trouble=(1, "refuses", point, 1))
    assert codes == [2, 2]
    assert printed[0].splitlines()[-1] == "error: process 1: photo.jpg cannot be read" and printed[1] == ""
