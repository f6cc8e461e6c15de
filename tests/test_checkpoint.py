"""Run folders: whole or not at all, settled after a kill at any moment."""

import contextlib
import re
import resource
import shutil

import pytest
import torch
import yaml
from safetensors.torch import save_file

import showtell
from showtell import checkpoint
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import whole, write_json, write_text

OLD, NEW = (
    {"model": {"weight": torch.full((3,), value)}, "random": {"cpu": torch.get_rng_state()}} for value in (1, 2)
)
STATE = {"step": 7, "best": None, "seconds": 1.5}


def told(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}")


@contextlib.contextmanager
def full_disk(bytes_left):
    """No file may grow beyond `bytes_left`: writing fails in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("write", ["text", "tensors"])
def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path, write):
    path = tmp_path / "file"
    path.write_text("old")
    with (
        full_disk(1000),
        pytest.raises(InputError, match=f"^{re.escape(str(path))} cannot be written: .*; the old file is unchanged$"),
    ):
        if write == "text":
            write_text(path, "x" * 5000)
        else:
            checkpoint.write_tensors(path, {"weight": torch.zeros(5000)})
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_any_other_failure_leaves_the_old_file_too_and_is_not_renamed(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and names(tmp_path) == ["file"]


def test_a_file_cannot_be_written_into_a_file(tmp_path):
    (tmp_path / "file").write_text("old")
    with told(f"{tmp_path}/file/x cannot be written: [Errno 20] Not a directory"):
        write_text(tmp_path / "file" / "x", "new")


def test_a_written_file_replaces_the_old_one(tmp_path):
    write_text(tmp_path / "file", "old")
    write_text(tmp_path / "file", "néw\n")
    assert (tmp_path / "file").read_bytes() == "néw\n".encode()
    assert names(tmp_path) == ["file"]


def test_tensors_come_back_as_they_were(tmp_path):
    tensors = {
        "a": torch.randn(2, 3),
        "b": torch.arange(5),
        "c": torch.zeros(4, dtype=torch.half),
        "d": torch.tensor(2),
    }
    checkpoint.write_tensors(tmp_path / "model.safetensors", tensors)
    found = checkpoint.read_tensors(tmp_path / "model.safetensors")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], t) and found[name].dtype == t.dtype for name, t in tensors.items())


def test_a_cut_safetensors_file_is_damaged(tmp_path):
    path = tmp_path / "model.safetensors"
    checkpoint.write_tensors(path, {"weight": torch.zeros(500)})
    whole = path.read_bytes()
    for length in (0, 5, 60, len(whole) - 1):
        path.write_bytes(whole[:length])
        with told(f"{path} is damaged: "):
            checkpoint.read_tensors(path)


@pytest.mark.parametrize("place", range(1, 200, 17))
def test_a_flipped_bit_of_weights_is_damage(tmp_path, place):
    path = tmp_path / "model.safetensors"
    checkpoint.write_tensors(path, {"weight": torch.randn(50), "count": torch.arange(3)})
    content = bytearray(path.read_bytes())
    content[-place] ^= 1
    path.write_bytes(content)
    with told(f"{path} is damaged: "):
        checkpoint.read_tensors(path)


def test_weights_that_others_wrote_have_no_digest_and_are_read(tmp_path):
    save_file({"weight": torch.ones(3)}, tmp_path / "model.safetensors", {"format": "pt"})
    assert checkpoint.read_tensors(tmp_path / "model.safetensors")["weight"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([0.0, float("nan")]),
        torch.tensor([float("-inf")]).half(),
        torch.tensor([1e300], dtype=torch.float64),  # infinite in fp32
        torch.zeros(2).to(torch.float8_e4m3fn),
    ],
    ids=["nan", "inf", "too large", "fp8"],
)
def test_numbers_that_are_no_weights_are_refused_by_name(tmp_path, tensor):
    checkpoint.write_tensors(tmp_path / "m", {"good": torch.zeros(3), "wrong": tensor})
    with pytest.raises(InputError, match=r"/m( is damaged)?: wrong (has values|holds torch.float8)"):
        checkpoint.read_tensors(tmp_path / "m")


def test_a_missing_safetensors_file_is_no_trained_run(tmp_path):
    path = tmp_path / "model.safetensors"
    with told(f"{path} does not exist: {tmp_path} is not a trained run"):
        checkpoint.read_tensors(path)


def same(found, wanted):
    """Whether checkpoints are equal."""
    if found is None:
        return False
    tensors, state = found
    return state == wanted[1] and all(
        torch.equal(tensors[file][name], tensor)
        for file, content in wanted[0].items()
        for name, tensor in content.items()
    )


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    assert checkpoint.read_training(tmp_path) is None
    for tensors, state in ((OLD, STATE), (NEW, STATE | {"step": 8})):
        checkpoint.write_training(tmp_path, tensors, state)
        assert same(checkpoint.read_training(tmp_path), (tensors, state))
    assert names(tmp_path) == ["last"]
    assert names(tmp_path / "last") == ["model.safetensors", "random.safetensors", "state.json"]


def test_a_checkpoint_holds_no_file_of_the_one_before(tmp_path):
    checkpoint.write_training(tmp_path, OLD | {"more": {"a": torch.zeros(1)}}, STATE)
    checkpoint.write_training(tmp_path, NEW, STATE)
    assert set(checkpoint.read_training(tmp_path)[0]) == {"model", "random"}


def test_a_full_disk_leaves_the_old_checkpoint_as_it_was(tmp_path):
    checkpoint.write_training(tmp_path, OLD, STATE)
    larger = {"model": {"weight": torch.zeros(50_000)}}
    with (
        full_disk(10_000),
        pytest.raises(
            InputError, match=f"^{re.escape(str(tmp_path))} cannot hold a checkpoint: .*; the checkpoint before it is "
        ),
    ):
        checkpoint.write_training(tmp_path, larger, STATE | {"step": 8})
    assert same(checkpoint.read_training(tmp_path), (OLD, STATE))
    assert names(tmp_path) == ["last"]


@pytest.fixture
def moments(tmp_path):
    """A run at every moment at which a kill can find `write_training`: what stands on disk, and which one counts."""
    for name, content, step in (("old", OLD, 7), ("new", NEW, 8)):
        (tmp_path / name).mkdir()
        checkpoint.write_training(tmp_path / name, content, STATE | {"step": step})
    old, new = tmp_path / "old" / "last", tmp_path / "new" / "last"
    half = tmp_path / "half"
    half.mkdir()
    (half / "model.safetensors").write_bytes((new / "model.safetensors").read_bytes()[:20])
    headless = shutil.copytree(old, tmp_path / "headless")
    (headless / "model.safetensors").unlink()
    return {
        "while writing": ({"last": old, ".last-x": half}, 7),
        "while writing the first": ({".last-x": half}, None),
        "before the first rename": ({"last": old, ".last-x": new}, 7),
        "between the renames": ({"last": old, "last.new": new}, 8),
        "while removing the old": ({"last": headless, "last.new": new}, 8),
        "after removing the old": ({"last.new": new}, 8),
        "after the last rename": ({"last": new}, 8),
        "while writing after a kill": ({"last.new": new, ".last-x": half}, 8),
    }


def test_a_kill_at_any_moment_leaves_one_whole_checkpoint(moments, tmp_path):
    for moment, (folders, step) in moments.items():
        run = tmp_path / moment
        for name, source in folders.items():
            shutil.copytree(source, run / name)
        wanted = {7: (OLD, STATE), 8: (NEW, STATE | {"step": 8})}
        for _ in range(2):  # reading settles it, reading again changes nothing
            found = checkpoint.read_training(run)
            assert found is None if step is None else same(found, wanted[step]), moment


def test_the_next_checkpoint_is_written_after_a_kill_at_any_moment(moments, tmp_path):
    for moment, (folders, _) in moments.items():
        run = tmp_path / moment
        for name, source in folders.items():
            shutil.copytree(source, run / name)
        checkpoint.write_training(run, OLD, STATE | {"step": 9})
        assert same(checkpoint.read_training(run), (OLD, STATE | {"step": 9})), moment
        assert names(run) == ["last"], moment


def test_what_is_called_as_a_new_checkpoint_and_is_no_folder_never_takes_the_place_of_one(tmp_path):
    checkpoint.write_training(tmp_path, OLD, STATE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for put in (lambda path: path.write_text("x"), lambda path: path.symlink_to(elsewhere, target_is_directory=True)):
        put(tmp_path / "last.new")
        assert same(checkpoint.read_training(tmp_path), (OLD, STATE))
    (tmp_path / "last.new").symlink_to("nowhere")
    checkpoint.write_training(tmp_path, OLD, STATE | {"step": 9})
    assert same(checkpoint.read_training(tmp_path), (OLD, STATE | {"step": 9}))
    assert not list(elsewhere.iterdir()) and names(tmp_path) == ["elsewhere", "last"]


def test_a_checkpoint_has_the_rights_that_any_folder_has(tmp_path):
    (tmp_path / "usual").mkdir()
    checkpoint.write_training(tmp_path, OLD, STATE)
    assert (tmp_path / "last").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_damaged_state_is_named(tmp_path):
    checkpoint.write_training(tmp_path, OLD, STATE)
    (tmp_path / "last" / "state.json").write_text('{"step": ')
    with told(f"{tmp_path}/last/state.json is damaged: it is not JSON: Expecting value"):
        checkpoint.read_training(tmp_path)


def test_a_recipe_comes_back_as_it_was(tmp_path):
    recipe = {"encoder": {"name": "timm", "grid_size": None}, "train": {"lr": 4e-4, "wandb": "off", "milestones": [3]}}
    checkpoint.write_recipe(tmp_path, recipe)
    assert checkpoint.read_recipe(tmp_path) == recipe
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text()) == {"showtell": showtell.__version__, **recipe}


def test_a_run_from_another_folder_finds_its_data_and_names_no_folder_of_this_machine(tmp_path, monkeypatch):
    (tmp_path / "old" / "ucm").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    recipe = {"data": {"name": "auto", "root": "ucm"}, "encoder": {"name": "timm", "weights": "random"}}
    checkpoint.write_recipe(tmp_path, recipe)
    write_json(tmp_path / "made.json", {"folder": str(tmp_path / "old")})
    assert checkpoint.read_recipe(tmp_path) == recipe | {"data": {"name": "auto", "root": "../old/ucm"}}
    (tmp_path / "here" / "ucm").mkdir()
    assert checkpoint.read_recipe(tmp_path) == recipe


def test_a_folder_without_a_recipe_is_not_a_run(tmp_path):
    with told(f"{tmp_path} is not a run: it has no recipe.yaml"):
        checkpoint.read_recipe(tmp_path)


def test_a_damaged_recipe_is_told_with_its_line(tmp_path):
    (tmp_path / "recipe.yaml").write_text("encoder: {name: lite")
    with pytest.raises(RecipeError, match=f"^{re.escape(str(tmp_path))}/recipe.yaml is not YAML: line 1: expected"):
        checkpoint.read_recipe(tmp_path)
