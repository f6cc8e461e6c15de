"""A decoder with a pretrained part: what is saved of it, tied weights, frozen parts, rows beyond the vocabulary."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from showtell import checkpoint
from showtell.decode import STRATEGIES
from showtell.decoders.decoder import Decoder, Output
from showtell.layers.visual import Standardise
from showtell.losses.cross_entropy import cross_entropy
from showtell.plumbing.errors import InputError
from showtell.tokenizers.captions import Special, batch
from tests.decoders.test_every_decoder import B, D, K, T, V, make_features, read, words
from tests.test_checkpoint_weights import Eye

DIM, ROWS = 8, 64
SPECIAL = Special(begin=(1,), eos=2, pad=0, suppress=(0, 1, 3))


class Trunk(nn.Module):
    """What a named source gives: words with rows to spare, a tied output, a norm with buffers, dropout."""

    def __init__(self, rows=ROWS):
        super().__init__()
        torch.manual_seed(11)
        self.words, self.inner = nn.Embedding(rows, DIM), nn.Linear(DIM, DIM)
        self.norm, self.dropout = nn.BatchNorm1d(DIM), nn.Dropout(0.5)
        self.output = nn.Linear(DIM, rows, bias=False)
        self.output.weight = self.words.weight

    def forward(self, x):
        normed = self.norm(self.inner(x).flatten(0, 2)).view(x.shape)
        return self.output(self.dropout(normed).tanh())


class Borrowed(Decoder):
    """Says a word by the word before it and the image. `trained` names what trains of its trunk."""

    reloadable = True

    def __init__(self, feature_dim=D, vocabulary_size=V, *, trained=(), rows=ROWS):
        super().__init__()
        self.vocabulary_size, self.trunk = vocabulary_size, Trunk(rows)
        self.standardise, self.image = Standardise(feature_dim), nn.Linear(feature_dim, DIM)
        for name, parameter in self.trunk.named_parameters():
            parameter.requires_grad = name.split(".")[0] in trained
        self.image.bias.requires_grad = False

    @property
    def pretrained(self):
        return (self.trunk,)

    def fit(self, features):
        self.standardise.fit(features.pooled)

    def start(self, features):
        code = self.image(self.standardise(features.pooled))
        return {"code": code}, {"position": torch.zeros(len(code), 1)}

    def forward(self, memory, state, tokens, attention=False):
        logits = self.trunk(self.trunk.words(tokens) + memory["code"][:, None, None])
        return Output(logits[..., : self.vocabulary_size], state)


OWN = {"standardise.mean", "standardise.deviation", "image.weight", "image.bias"}
NORM = {f"trunk.norm.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}


def saved_names(decoder):
    return {name.removeprefix("decoder.") for name in checkpoint.weights(Eye(()), decoder)}


@pytest.mark.parametrize(
    ("trained", "also"), [((), set()), (("norm",), NORM), (("words",), {"trunk.words.weight"})], ids=str
)
def test_what_the_source_gives_back_is_not_saved(trained, also):
    assert saved_names(Borrowed(trained=trained)) == OWN | also


def test_without_a_source_all_is_saved_and_tied_weights_once():
    decoder = Borrowed()
    decoder.reloadable = False
    assert saved_names(decoder) == set(decoder.state_dict()) - {"trunk.output.weight"}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("reloadable", [False, True])
def test_saved_weights_make_another_the_same_and_keep_it_tied(tmp_path, reloadable, half):
    decoder, other = (Borrowed(trained=("words", "inner")) for _ in range(2))
    decoder.reloadable = other.reloadable = reloadable
    decoder.fit(make_features(3))
    with torch.no_grad():
        for parameter in decoder.parameters():
            if parameter.requires_grad or not reloadable:
                parameter.copy_(torch.randn(parameter.shape))
        other.image.bias.fill_(7.0)  # frozen and drawn at random: it comes from the file
    saved = checkpoint.weights(Eye(()), decoder)
    checkpoint.write_tensors(tmp_path / "m", checkpoint.halved(saved) if half else saved)
    checkpoint.restore(Eye(()), other, checkpoint.read_tensors(tmp_path / "m"), "m")
    assert other.trunk.output.weight is other.trunk.words.weight
    for name, tensor in decoder.state_dict().items():
        assert_close(other.state_dict()[name], tensor, rtol=0, atol=1e-2 if half else 0, msg=name)


@pytest.mark.parametrize("kept", ["words", "output", "both"])
def test_a_file_may_have_either_name_of_a_tied_weight_or_both(kept):
    decoder, other = Borrowed(trained=("words",)), Borrowed(trained=("words",))
    tensors, value = checkpoint.weights(Eye(()), decoder), torch.randn(ROWS, DIM)
    del tensors["decoder.trunk.words.weight"]
    for name in ("words", "output"):
        if kept in (name, "both"):
            tensors[f"decoder.trunk.{name}.weight"] = value.clone()
    checkpoint.restore(Eye(()), other, tensors, "RUN")
    assert torch.equal(other.trunk.output.weight, value) and torch.equal(other.trunk.words.weight, value)
    if kept == "both":
        tensors["decoder.trunk.output.weight"][0, 0] += 1
        with pytest.raises(InputError, match=r"trunk.output.weight differs from decoder.trunk.words.weight"):
            checkpoint.restore(Eye(()), other, tensors, "RUN")


@pytest.mark.parametrize("training", [False, True])
def test_tensors_that_share_memory_can_be_written(tmp_path, training):
    whole = torch.arange(12.0)
    tensors = {"a": whole, "b": whole, "c": whole[3:7], "d": torch.empty(0), "e": torch.empty(0)}
    if training:
        checkpoint.write_training(tmp_path, {"model": tensors}, {"step": 1})
        found = checkpoint.read_training(tmp_path)[0]["model"]
    else:
        checkpoint.write_tensors(tmp_path / "model.safetensors", tensors)
        found = checkpoint.read_tensors(tmp_path / "model.safetensors")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_frozen_parts_stay_in_eval_mode_and_parts_that_train_do_not():
    decoder = Borrowed().train()
    assert decoder.training and decoder.image.training
    assert not any(module.training for module in decoder.trunk.modules())
    decoder(*decoder.start(make_features()), words()[:, :1])
    assert decoder.trunk.norm.num_batches_tracked == 0
    learning = Borrowed(trained=("words", "inner", "norm")).train()
    assert all(module.training for module in learning.trunk.modules())
    assert not any(module.training for module in learning.eval().modules())


def test_a_frozen_part_of_an_encoder_stays_in_eval_mode():
    encoder = Eye(["linear"]).train()
    assert encoder.training and encoder.linear.training and not encoder.norm.training
    assert not Eye(()).train().training


@torch.no_grad()
def test_rows_beyond_the_vocabulary_are_never_logits():
    padded, exact = Borrowed().eval(), Borrowed(rows=V).eval()
    state = padded.state_dict()
    cut = {name: tensor[:V] for name, tensor in state.items() if name in ("trunk.words.weight", "trunk.output.weight")}
    exact.load_state_dict(state | cut)
    features, captions = make_features(), batch([[[4, 5]], [[6]]], SPECIAL)
    assert read(padded, features, words()).logits.shape == (B, K, T, V)
    assert_close(cross_entropy(padded, features, captions)[0], cross_entropy(exact, features, captions)[0])
    padded.trunk.words.weight[V:] = 50.0  # what would be said if it were there
    for name, strategy in STRATEGIES.items():
        options = {"seed": 1} if name == "sample" else {}
        found, wanted = (strategy(each, features, SPECIAL, max_length=6, **options) for each in (padded, exact))
        assert torch.equal(found.tokens, wanted.tokens)
