"""What makes a step: the rate of each moment, what decays, the device and the precision."""

import pytest
import torch

from showtell.plumbing.device import autocast, device_of
from showtell.plumbing.errors import InputError
from showtell.recipe.build import build, build_neural
from showtell.recipe.fixed import Train
from showtell.training.optimizer import learning_rate, make_optimizer
from tests.small import FROZEN, small_recipe, train_small

COSINE = {0: 0.25, 3: 1.0, 4: 1.0, 6: 0.05 + 0.95 * 0.853553, 8: 0.525, 12: 0.05, 13: 0.05}


def test_the_cosine_starts_at_lr_after_the_warmup_and_ends_at_its_share():
    settings = Train(lr=2.0, warmup_steps=4, final_lr=0.05)
    for step, share in COSINE.items():
        assert learning_rate(settings, step, total=12, epoch=0) == pytest.approx(2.0 * share, rel=1e-5), step


def test_milestones_are_epochs_after_which_lr_drops():
    settings = Train(lr=1.0, warmup_steps=0, schedule="milestones", milestones=(2, 3), gamma=0.1)
    rates = [learning_rate(settings, 10 * epoch, total=50, epoch=epoch) for epoch in range(5)]
    assert rates == pytest.approx([1, 1, 0.1, 0.01, 0.01])


def test_milestones_may_be_steps():
    settings = Train(lr=1.0, warmup_steps=0, schedule="milestones", milestones=(2, 3), gamma=0.1, milestone_unit="step")
    assert [learning_rate(settings, step, 50, epoch=9) for step in range(5)] == pytest.approx([1, 1, 0.1, 0.01, 0.01])


def test_a_constant_rate_has_a_warmup_too():
    settings = Train(lr=1.0, warmup_steps=2, schedule="constant")
    assert [learning_rate(settings, step, total=9, epoch=0) for step in range(4)] == [0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("pretrained_lr", [None, 0.001])
def test_an_encoder_that_trains_may_have_its_own_rate(pretrained_lr):
    recipe = small_recipe()
    settings = Train(lr=0.01, pretrained_lr=pretrained_lr, weight_decay=0.3)
    captioner = build_neural(recipe, build(recipe, "encoder"), build(recipe, "tokenizer").fit(["a dog"]))
    groups = make_optimizer(captioner, settings).param_groups
    assert [group["scale"] for group in groups] == pytest.approx([1, 1, *[0.1 if pretrained_lr else 1] * 2])
    for group in groups:
        assert group["weight_decay"] == (0.3 if group["params"][0].ndim >= 2 else 0.0)
    trained = sum(len(group["params"]) for group in groups)
    assert trained == len(list(captioner.decoder.parameters())) + len(list(captioner.encoder.parameters()))


def test_oslos_biases_do_not_decay_though_they_have_two_axes():
    recipe = small_recipe("decoder=recurrent", "decoder.cell=oslo_gru")
    captioner = build_neural(recipe, build(recipe, "encoder"), build(recipe, "tokenizer").fit(["a dog"]))
    still = {
        id(p) for g in make_optimizer(captioner, Train()).param_groups if not g["weight_decay"] for p in g["params"]
    }
    biases = [p for name, p in captioner.decoder.named_parameters() if ".bias" in name]
    assert {p.ndim for p in biases} == {1, 2} and all(id(p) in still for p in biases)
    assert all(id(p) not in still for name, p in captioner.decoder.named_parameters() if ".cells.0.weight" in name)


@pytest.mark.parametrize(("precision", "enabled"), [("fp32", False), ("bf16", True)])
def test_precision_is_as_asked(precision, enabled):
    with autocast(torch.device("cpu"), precision):
        assert torch.is_autocast_enabled("cpu") == enabled


TAKES = "; it takes auto, cpu, cuda, mps or another device of torch"
DEVICES = {
    "gpu": rf"{TAKES} \(did you mean cuda\?\)",
    "GPU:0": rf"{TAKES} \(did you mean cuda\?\)",
    "cudda": rf"{TAKES} \(did you mean cuda\?\)",
    "toaster": TAKES,
    "cuda:77": ": .*; cpu always works",
}


def test_an_unknown_device_is_refused(tmp_path):
    assert device_of("cpu") == torch.device("cpu")
    for name, told in DEVICES.items():
        with pytest.raises(InputError, match=f"^train.device is '{name}'{told}$"):
            device_of(name)
    with pytest.raises(InputError, match=r"^train.device is 'gpu'; .*did you mean cuda"):
        train_small(tmp_path / "run", *FROZEN, "train.device=gpu")
    assert not (tmp_path / "run").exists()
