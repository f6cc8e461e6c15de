"""Every way of PEFT on every decoder with a language model: what trains, what is said at step 0, what is saved."""

from copy import deepcopy
from functools import cache

import pytest
import torch
from torch.testing import assert_close

from showtell import checkpoint
from showtell.decoders import DECODERS
from showtell.layers.blocks import Blocks
from showtell.peft import PEFT
from showtell.peft.freeze import NAMED, inserted
from showtell.plumbing.errors import RecipeError
from tests.decoders.test_every_decoder import B, D, K, T, V, make_features, read, small_model, words
from tests.test_checkpoint_weights import Eye

WAYS = {
    "none": [{}],
    "adapter": [{"width": 3, "dropout": 0.0}, {"width": 3, "places": "mlp", "activation": "relu"}],
    "prefix": [{"length": 4}, {"length": 4, "hidden": 5}],
    "prompt": [{"length": 4}],
    "lora": [{"rank": 2}, {"rank": 2, "targets": ("all",), "alpha": 7.0, "scaling": "alpha/sqrt(r)"}],
}
CHANGES_STEP_0 = ("prefix", "prompt")  # by their nature: they put something in front of the words
DECODER_OPTIONS = {
    "transformer": [{"conditioning": "cross"}, {"conditioning": "prefix"}, {"sees": "pooled"}],
    "gpt2": [{}, {"cross_layers": (1,), "cross_dim": 4}, {"map": "none"}],
    "language_model": [{}, {"map": "transformer", "length": 3}],
}
SMALL = {"dim": 8, "heads": 2, "layers": 2}


def make(name, options, seed=0):
    return deepcopy(made(name, tuple(options.items()), seed))


@cache
def made(name, options, seed):
    """Built once: most of a small language model's time is its loading."""
    torch.manual_seed(seed)
    options = dict(options)
    sizes = dict(SMALL)
    if name == "transformer":
        sizes |= {"mlp_dim": 10, "max_length": 32}
    elif name == "gpt2":
        sizes |= {"weights": "random", "max_length": 32}
    else:
        sizes = {"model": small_model(), "map_layers": 2}
    decoder = DECODERS[name](D, V, **(sizes | options))
    new = [part for part in decoder.language.new if part != "visual"]
    for key, parameter in decoder.named_parameters():
        if any(key.startswith(part) for part in new) or name != "language_model":
            torch.nn.init.normal_(parameter, std=0.3)
    return decoder.eval()


DECODED = [
    pytest.param(name, options, id=f"{name}-{'-'.join(map(str, options.values()))}")
    for name, several in DECODER_OPTIONS.items()
    for options in several
]
TUNED = [
    pytest.param(way, options, id=f"{way}-{'-'.join(map(str, options.values()))}")
    for way, several in WAYS.items()
    for options in several
]


def shaken(decoder):
    """Inserted parts are no longer where they started, so that they change what is said."""
    torch.manual_seed(7)
    for name, parameter in decoder.named_parameters():
        if inserted(name):
            torch.nn.init.normal_(parameter, std=0.3)
    return decoder


def test_the_table_is_tested():
    assert {*WAYS, "all"} == {*PEFT}


@pytest.mark.parametrize(("name", "options"), DECODED)
@pytest.mark.parametrize(("way", "tuning"), TUNED)
class TestEveryWay:
    @torch.no_grad()
    def test_step_0_says_what_the_decoder_said(self, name, options, way, tuning):
        before = read(make(name, options), make_features(), words()).logits
        decoder = make(name, options)
        PEFT[way](decoder, **tuning)
        after = read(decoder.eval(), make_features(), words()).logits
        assert torch.equal(before, after) == (way not in CHANGES_STEP_0)

    def test_the_language_model_is_frozen_and_all_else_learns(self, name, options, way, tuning):
        decoder = make(name, options)
        PEFT[way](decoder, **tuning)
        shaken(decoder).train()
        read(decoder, make_features(), words()).logits.log_softmax(-1)[..., 3].sum().backward()
        new = decoder.language.new
        for key, parameter in decoder.named_parameters():
            learns = inserted(key) or any(key.startswith(f"{part}.") for part in new)
            assert parameter.requires_grad == learns, key
            assert (parameter.grad is not None) == learns, key
        assert any(inserted(key) for key, _ in decoder.named_parameters()) == (way != "none")

    @torch.no_grad()
    def test_any_cutting_of_the_words_gives_the_same_logits(self, name, options, way, tuning):
        decoder = make(name, options)
        PEFT[way](decoder, **tuning)
        shaken(decoder).eval()
        whole = read(decoder, make_features(), words()).logits
        memory, state = decoder.start(make_features())
        state, logits = decoder.widen(state, K), []
        for part in words().split([1, 3, 3], dim=-1):
            output = decoder(memory, state, part)
            state = output.state
            logits.append(output.logits)
        assert_close(torch.cat(logits, dim=2), whole, rtol=1e-4, atol=1e-4)

    @torch.no_grad()
    def test_attention_is_over_the_image_only(self, name, options, way, tuning):
        decoder = make(name, options)
        PEFT[way](decoder, **tuning)
        output = read(shaken(decoder).eval(), make_features(), words(), attention=True)
        assert (output.attention is not None) == decoder.attends
        if output.attention is not None:
            assert output.attention.shape[-1] == make_features().mask.shape[1]
            assert output.attention.masked_select(~make_features().mask[:, None, None, None]).eq(0).all()

    @torch.no_grad()
    def test_saved_weights_make_another_the_same(self, name, options, way, tuning):
        decoder = make(name, options)
        PEFT[way](decoder, **tuning)
        shaken(decoder).eval()
        saved = checkpoint.weights(Eye(), decoder)
        other = make(name, options, seed=1) if name != "language_model" else make(name, options)
        PEFT[way](other, **tuning)
        checkpoint.restore(Eye(), other.eval(), saved, "file")
        wanted, found = (read(each, make_features(), words()).logits for each in (decoder, other))
        assert torch.equal(wanted, found)
        if decoder.reloadable:
            trained = {f"decoder.{key}" for key, parameter in decoder.named_parameters() if parameter.requires_grad}
            own = {key for key in saved if key.startswith("decoder.")}
            assert {key for key in own if not key.endswith(("mean", "deviation"))} <= trained


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_without_a_language_model_takes_only_all(name):
    options = {"weights": "random", **SMALL} if name == "gpt2" else {}
    options = {"model": small_model()} if name == "language_model" else options
    options = {"regions": 5} if name == "topdown" else options
    decoder = DECODERS[name](D, V, **options)
    PEFT["all"](decoder)
    assert all(parameter.requires_grad for parameter in decoder.parameters())
    if decoder.language is None:
        with pytest.raises(RecipeError, match="no language model") as caught:
            PEFT["lora"](decoder)
        assert caught.value.key == "peft.name"


@pytest.mark.parametrize("name", DECODER_OPTIONS)
@pytest.mark.parametrize("word", [*NAMED, "*.1.*"])
def test_patterns_name_what_else_learns(name, word):
    if name == "language_model" and word == "cross_attention":
        pytest.skip("it has none")
    decoder = make(name, {})
    PEFT["none"](decoder, trainable=(word,))
    more = {key for key, parameter in decoder.named_parameters() if parameter.requires_grad}
    PEFT["none"](decoder)
    fewer = {key for key, parameter in decoder.named_parameters() if parameter.requires_grad}
    assert fewer <= more
    assert (fewer < more) == (word not in ("map", "cross_attention"))


def test_a_pattern_that_names_nothing_is_refused():
    with pytest.raises(RecipeError, match="norms") as caught:
        PEFT["none"](make("gpt2", {}), trainable=("norm",))
    assert caught.value.key == "peft.trainable"


@pytest.mark.parametrize("target", ["words", "lm_head", "qvk", "visual.linear"])
def test_targets_that_are_tied_or_name_nothing_are_refused(target):
    name = "language_model" if target == "lm_head" else "gpt2"
    with pytest.raises(RecipeError) as caught:
        PEFT["lora"](make(name, {}), targets=(target,))
    assert caught.value.key == "peft.targets"
    assert ("tied" in caught.value.wrong) == (target in ("words", "lm_head"))


@pytest.mark.parametrize("way", CHANGES_STEP_0)
def test_learned_positions_take_part_of_max_length(way):
    decoder = make("gpt2", {})
    with pytest.raises(RecipeError) as caught:
        PEFT[way](decoder, length=32)
    assert caught.value.key == "peft.length"
    PEFT[way](decoder, length=28)
    with pytest.raises(RecipeError, match="max_length"):
        read(decoder, make_features(), words())


@torch.no_grad()
def test_each_visual_token_matters_to_each_word_after_tuning():
    """A cross-attention with a causal mask against the patches would score well, and hide patches from early words."""
    decoder = make("gpt2", {})
    PEFT["adapter"](decoder, width=3)
    shaken(decoder).eval()
    features = make_features()
    before = read(decoder, features, words()).logits
    for n in range(features.mask.shape[1]):
        tokens = features.tokens.clone()
        tokens[:, n] += 1.0
        moved = (read(decoder, features._replace(tokens=tokens), words()).logits - before).abs().amax((1, 3)) > 1e-6
        assert moved.tolist() == features.mask[:, n, None].expand(B, T).tolist()


def test_the_layers_iterate_in_order():
    assert isinstance(make("gpt2", {}).blocks, Blocks)
