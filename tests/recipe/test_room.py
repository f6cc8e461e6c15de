"""Sizes that are typing mistakes, and parts that do not fit into memory, end before anything is built."""

import pytest
import torch
from torch import nn

from showtell.cli.words import run
from showtell.plumbing.device import device_of, free_memory
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import check_folder, check_writable
from showtell.plumbing.weights import read_weights
from showtell.recipe import room
from showtell.recipe.room import check_room
from tests.small import small_recipe


@pytest.mark.parametrize(
    "wrong",
    [
        "decoder.dim=1000000",
        "decoder.layers=100000",
        "decoder.mlp_dim=99999999999999999999",
        "encoder.image_size=32000",
        "encoder.width=1000000",
        "train.lr=1e300",
        "train.weight_decay=1e300",
        "train.gamma=1e300",
        "train.clip=1e300",
        "train.batch_size=100000000000000000000",
    ],
)
def test_absurd_sizes_are_refused_with_the_option(wrong):
    with pytest.raises(RecipeError) as caught:
        small_recipe(wrong)
    assert caught.value.key == wrong.partition("=")[0] and "or less" in str(caught.value)


def test_a_part_that_does_not_fit_names_its_largest_parts_and_draws_no_number(monkeypatch):
    monkeypatch.setattr(room, "free_memory", lambda device: 10_000)
    before = torch.get_rng_state()
    check_room("decoder", lambda: nn.Linear(40, 50))  # 2,050 weights
    with pytest.raises(InputError) as caught:
        check_room("decoder", lambda: nn.Sequential(nn.Linear(9, 9), nn.Linear(40, 50)), copies=4)
    assert caught.value.key == "decoder" and "1.weight" in str(caught.value)
    assert torch.equal(before, torch.get_rng_state())
    check_room("decoder", lambda: 1 / 0)  # what has no outline is built without an estimate


def test_free_memory_is_known_here():
    free = free_memory()
    assert free is not None and 10**7 < free < 10**14


def test_a_device_without_numbers_is_refused():
    with pytest.raises(InputError) as caught:
        device_of("meta")
    assert caught.value.key == "train.device"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3.81 TiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you .."
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        UnicodeEncodeError("utf-8", "runs/\udcff", 5, 6, "surrogates not allowed"),
        OSError(24, "Too many open files"),
    ],
)
def test_full_memory_and_bad_names_are_one_line_and_exit_2(error, capsys):
    def command():
        raise error

    with pytest.raises(SystemExit) as caught:
        run(command)
    said = capsys.readouterr().err
    assert caught.value.code == 2 and said.count("\n") == 1 and said.startswith("error: ")
    assert any(word in said for word in ("train.batch_size", "ulimit", "UTF-8"))


def test_a_name_that_is_not_utf_8_is_refused_before_work(tmp_path):
    with pytest.raises(InputError) as caught:
        check_folder(tmp_path / "runs\udcff", "--run")
    assert caught.value.key == "--run"
    with pytest.raises(InputError) as caught:
        check_writable({"data": {"sets": ["a", "b\udcff"]}})
    assert caught.value.key == "data.sets"


@pytest.mark.parametrize(("content", "says"), [(b"", "empty"), (b"hello, I am a text\n", ""), (b"\x80\x04N.", "")])
def test_a_file_that_is_no_weights_is_refused_without_the_advice_to_run_it(tmp_path, content, says):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_weights(path, "encoder.weights")
    assert "weights_only" not in str(caught.value) and says in str(caught.value)
