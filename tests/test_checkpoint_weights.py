"""Which weights a run saves; they and the optimizer go on as if nothing had stopped, or are refused by name."""

import re

import pytest
import torch
from torch import Tensor, nn

from showtell import checkpoint
from showtell.decoders import Recurrent
from showtell.encoders.encoder import Encoder
from showtell.features import Features
from showtell.plumbing.errors import InputError

D, V = 6, 11


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
        (wider, "encoder.linear.weight is (3, 6), but must be (6, 6)"),
        (less, "decoder.output.bias is absent, but must be (11,)"),
        (more, "decoder.extra is (2,), but must be absent"),
    ):
        with told(f"RUN does not fit its recipe: {text}"):
            checkpoint.restore(encoder, decoder, tensors, "RUN")


@pytest.mark.parametrize("how", [Tensor.bool, Tensor.int, Tensor.cfloat], ids=["bool", "int", "complex"])
def test_weights_of_another_kind_of_numbers_are_refused_by_name(how):
    encoder, decoder = Eye(["norm"]), make_decoder()
    saved = checkpoint.weights(encoder, decoder)
    wrong = saved | {"decoder.output.bias": how(saved["decoder.output.bias"])}
    with told("RUN is damaged: decoder.output.bias holds torch."):
        checkpoint.restore(encoder, decoder, wrong, "RUN")
    counts = saved | {"encoder.norm.num_batches_tracked": torch.tensor(3.0)}
    with told("RUN is damaged: encoder.norm.num_batches_tracked holds torch.float32"):
        checkpoint.restore(encoder, decoder, counts, "RUN")


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
    checkpoint.restore_optimizer(other_optimizer, checkpoint.read_tensors(tmp_path / "optimizer"), "RUN/last")
    for seed in range(5, 9):
        step(encoder, optimizer, seed)
        step(other, other_optimizer, seed)
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor), name
    assert [group["weight_decay"] for group in other_optimizer.param_groups] == [0.1, 0.01]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exp_avg", torch.tensor(1.0)),
        ("step", torch.ones(2)),
        ("step", torch.tensor(-1.0)),
        ("exp_avg_sq", -torch.ones(2)),
        ("exp_avg_sq", torch.ones(2).bool()),
        ("step", torch.tensor(3)),
    ],
)
def test_moments_that_are_none_are_refused_by_name(name, value):
    optimizer = torch.optim.AdamW([torch.zeros(2, requires_grad=True)])
    moments = {"0.step": torch.tensor(3.0), "0.exp_avg": torch.ones(2), "0.exp_avg_sq": torch.ones(2)}
    checkpoint.restore_optimizer(optimizer, moments, "RUN/last")
    with pytest.raises(InputError, match=rf"^RUN/last .* its optimizer's 0\.{name} is "):
        checkpoint.restore_optimizer(optimizer, moments | {f"0.{name}": value}, "RUN/last")


def test_an_optimizer_that_never_stepped_has_nothing_to_save():
    optimizer = torch.optim.AdamW(make_decoder().parameters())
    assert checkpoint.optimizer_tensors(optimizer) == {}
    checkpoint.restore_optimizer(optimizer, {}, "RUN/last")
