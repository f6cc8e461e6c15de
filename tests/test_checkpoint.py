"""Run folders: whole or not at all, settled after a kill at any moment, restored bit for bit or refused with a name."""

import contextlib
import re
import resource
import shutil

import pytest
import torch
import yaml
from torch import nn

from showtell import checkpoint
from showtell.decoders import Recurrent
from showtell.encoders.encoder import Encoder
from showtell.errors import InputError, RecipeError
from showtell.features import Features

D, V = 6, 11
OLD, NEW = (
    {"model": {"weight": torch.full((3,), value)}, "random": {"cpu": torch.get_rng_state()}} for value in (1, 2)
)
STATE = {"step": 7, "best": None, "seconds": 1.5}


class Eye(Encoder):
    """A convolution, a batch norm and a linear map, of which some train."""

    image_size, fingerprint = 8, "eye"

    def __init__(self, trained=("conv", "norm", "linear"), reloadable=True):
        super().__init__()
        self.dim, self.reloadable, self.trains = D, reloadable, bool(trained)
        self.conv, self.norm, self.linear = nn.Conv2d(3, D, 3), nn.BatchNorm2d(D), nn.Linear(D, D)
        for name, part in self.named_children():
            part.requires_grad_(name in trained)

    def transform(self, image):
        raise NotImplementedError

    def forward(self, pixels, view):
        cells = self.linear(self.norm(self.conv(pixels.float() / 255)).flatten(2).transpose(1, 2))
        return Features(
            cells, torch.ones(cells.shape[:2], dtype=torch.bool), cells.mean(1), torch.rand(*cells.shape[:2], 4)
        )


def make_decoder(seed=0, **options):
    torch.manual_seed(seed)
    return Recurrent(D, V, embedding_dim=9, dim=8, **options)


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
        pytest.raises(
            InputError, match=f"^{re.escape(str(path))} cannot be written: .*; what stood there is untouched$"
        ),
    ):
        if write == "text":
            checkpoint.write_text(path, "x" * 5000)
        else:
            checkpoint.write_tensors(path, {"weight": torch.zeros(5000)})
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_any_other_failure_leaves_the_old_file_too_and_is_not_renamed(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), checkpoint.whole(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and names(tmp_path) == ["file"]


def test_a_file_cannot_be_written_into_a_file(tmp_path):
    (tmp_path / "file").write_text("old")
    with told(f"{tmp_path}/file/x cannot be written: [Errno 20] Not a directory"):
        checkpoint.write_text(tmp_path / "file" / "x", "new")


def test_a_written_file_replaces_the_old_one(tmp_path):
    checkpoint.write_text(tmp_path / "file", "old")
    checkpoint.write_text(tmp_path / "file", "néw\n")
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


def test_a_missing_safetensors_file_is_no_trained_run(tmp_path):
    path = tmp_path / "model.safetensors"
    with told(f"{path} does not exist: {tmp_path} is no trained run"):
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
            InputError, match=f"^{re.escape(str(tmp_path))} cannot hold a checkpoint: .*; the one before it is "
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
        "while writing": ({"last": old, "last.part": half}, 7),
        "while writing the first": ({"last.part": half}, None),
        "before the first rename": ({"last": old, "last.part": new}, 7),
        "between the renames": ({"last": old, "last.new": new}, 8),
        "while removing the old": ({"last": headless, "last.new": new}, 8),
        "after removing the old": ({"last.new": new}, 8),
        "after the last rename": ({"last": new}, 8),
        "while writing after a kill": ({"last.new": new, "last.part": half}, 8),
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


def test_a_damaged_state_is_named(tmp_path):
    checkpoint.write_training(tmp_path, OLD, STATE)
    (tmp_path / "last" / "state.json").write_text('{"step": ')
    with told(f"{tmp_path}/last/state.json is damaged: Expecting value"):
        checkpoint.read_training(tmp_path)


def test_a_recipe_comes_back_as_it_was(tmp_path):
    recipe = {"encoder": {"name": "timm", "grid_size": None}, "train": {"lr": 4e-4, "wandb": "off", "milestones": [3]}}
    checkpoint.write_recipe(tmp_path, recipe)
    assert checkpoint.read_recipe(tmp_path) == recipe
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text()) == recipe


def test_a_folder_without_a_recipe_is_not_a_run(tmp_path):
    with told(f"{tmp_path} is not a run: it has no recipe.yaml"):
        checkpoint.read_recipe(tmp_path)


def test_a_damaged_recipe_is_told_with_its_line(tmp_path):
    (tmp_path / "recipe.yaml").write_text("encoder: {name: lite")
    with pytest.raises(RecipeError, match=f"^{re.escape(str(tmp_path))}/recipe.yaml is not YAML: line 1: expected"):
        checkpoint.read_recipe(tmp_path)


def encoder_names(encoder):
    saved = checkpoint.weights(encoder, make_decoder())
    return {name.removeprefix("encoder.") for name in saved if name.startswith("encoder.")}


def test_of_a_frozen_encoder_nothing_is_saved():
    assert encoder_names(Eye(trained=())) == set()


def test_of_a_partly_trained_encoder_what_trains_is_saved_with_its_buffers():
    norm = {f"norm.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}
    assert encoder_names(Eye(trained=["norm"])) == norm
    assert encoder_names(Eye(trained=["linear"])) == {"linear.weight", "linear.bias"}


@pytest.mark.parametrize("trained", [(), ("linear",), ("conv", "norm", "linear")])
def test_of_an_encoder_drawn_at_random_everything_is_saved(trained):
    encoder = Eye(trained, reloadable=False)
    assert encoder_names(encoder) == set(encoder.state_dict())


def test_of_the_decoder_everything_is_saved_with_what_it_measured():
    decoder = make_decoder()
    saved = checkpoint.weights(Eye(()), decoder)
    assert set(saved) == {f"decoder.{name}" for name in decoder.state_dict()}
    assert "decoder.visual.standardise.mean" in saved


@pytest.mark.parametrize("half", [False, True], ids=["full precision", "half precision"])
def test_saved_weights_make_another_captioner_the_same(tmp_path, half):
    encoder, decoder = Eye(["conv", "norm"]).to(memory_format=torch.channels_last), make_decoder(1)
    encoder.train()(torch.randint(256, (4, 3, 8, 8)), torch.zeros(4, 4))  # moves the buffers
    saved = checkpoint.weights(encoder, decoder)
    checkpoint.write_tensors(
        tmp_path / "m", {n: t.half() if half and t.is_floating_point() else t for n, t in saved.items()}
    )
    other, other_decoder = Eye(["conv", "norm"]), make_decoder(2)
    other.linear.load_state_dict(encoder.linear.state_dict())  # the named source gives the frozen part
    checkpoint.restore(other, other_decoder, checkpoint.read_tensors(tmp_path / "m"), "m")
    for ours, theirs in ((encoder, other), (decoder, other_decoder)):
        for name, tensor in ours.state_dict().items():
            found = theirs.state_dict()[name]
            assert found.dtype == tensor.dtype
            exact = not half or name.startswith("linear") or not tensor.is_floating_point()
            assert torch.equal(found, tensor if exact else tensor.half().float()), name


def test_weights_of_another_recipe_are_refused_with_name_and_shapes():
    encoder, decoder = Eye(["linear"]), make_decoder()
    saved = checkpoint.weights(encoder, decoder)
    wider = saved | {"encoder.linear.weight": torch.zeros(3, D)}
    less = {name: tensor for name, tensor in saved.items() if name != "decoder.output.bias"}
    more = saved | {"decoder.extra": torch.zeros(2)}
    for tensors, text in (
        (wider, "encoder.linear.weight is (3, 6), the recipe makes it (6, 6)"),
        (less, "decoder.output.bias is absent, the recipe makes it (11,)"),
        (more, "decoder.extra is (2,), the recipe makes it absent"),
    ):
        with told(f"RUN does not fit its recipe: {text}"):
            checkpoint.restore(encoder, decoder, tensors, "RUN")


def test_an_optimizer_goes_on_as_if_it_had_never_stopped(tmp_path):
    def make():
        torch.manual_seed(0)
        encoder = Eye().to(memory_format=torch.channels_last)
        groups = [{"params": [encoder.conv.weight], "weight_decay": 0.1}, {"params": list(encoder.linear.parameters())}]
        return encoder, torch.optim.AdamW(groups, lr=0.01)

    def step(encoder, optimizer, seed):
        torch.manual_seed(seed)
        optimizer.zero_grad()
        encoder(torch.randint(256, (4, 3, 8, 8)), torch.zeros(4, 4)).tokens.tanh().sum().backward()
        optimizer.step()

    encoder, optimizer = make()
    for seed in range(5):
        step(encoder, optimizer, seed)
    checkpoint.write_tensors(tmp_path / "optimizer", checkpoint.optimizer_tensors(optimizer))
    other, other_optimizer = make()
    other.load_state_dict(encoder.state_dict())
    checkpoint.restore_optimizer(other_optimizer, checkpoint.read_tensors(tmp_path / "optimizer"))
    for seed in range(5, 9):
        step(encoder, optimizer, seed)
        step(other, other_optimizer, seed)
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor), name
    assert [group["weight_decay"] for group in other_optimizer.param_groups] == [0.1, 0.01]


def test_an_optimizer_that_never_stepped_has_nothing_to_save():
    optimizer = torch.optim.AdamW(make_decoder().parameters())
    assert checkpoint.optimizer_tensors(optimizer) == {}
    checkpoint.restore_optimizer(optimizer, {})
