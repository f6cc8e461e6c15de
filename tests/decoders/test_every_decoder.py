"""The contract of every decoder, for all of the table in every way that their signatures' choices allow."""

import atexit
import inspect
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from showtell.decoders import DECODERS, recurrent
from showtell.decoders.decoder import Decoder
from showtell.features import Features
from showtell.layers.visual import Standardise
from showtell.plumbing.errors import RecipeError
from tests.decoders.families import save

B, K, N, D, T, V = 2, 3, 5, 6, 7, 11
SIZES = {"regions": N, "attention_dim": 7, "heads": 4, "dim": 8, "embedding_dim": 9, "mlp_dim": 10, "layers": 2}
SIZES |= {"weights": "random", "map_layers": 2}
# What all keys share a softmax does not see, and over the one pooled vector its weight is always 1.
DEAD = ("key.bias",)
DEAD_OVER_ONE = ("cross_attention.query.", "cross_attention.key.", "cross_norm.")


def variants():
    """Every combination of choices. Those that differ from the defaults in more than one choice are slow tests."""
    for name, decoder in DECODERS.items():
        hints, defaults = get_type_hints(decoder.__init__), inspect.signature(decoder.__init__).parameters
        choices = {option: get_args(hint) for option, hint in hints.items() if get_origin(hint) is Literal}
        choices.pop("initialisation", None)  # `large` draws every parameter anew
        for values in product(*choices.values()):
            chosen = dict(zip(choices, values, strict=True))
            changed = sum(value != defaults[option].default for option, value in chosen.items())
            marks = [pytest.mark.slow] * (changed > 1)
            yield pytest.param((decoder, chosen), id="-".join((name, *values)), marks=marks)


def build(variant, seed=0, **options):
    """A tiny decoder in eval mode whose parameters are large, so that nothing it depends on is too small to see."""
    kind, choices = variant
    torch.manual_seed(seed)
    sizes = {name: size for name, size in SIZES.items() if name in inspect.signature(kind).parameters}
    if kind is DECODERS["language_model"]:
        sizes["model"] = small_model()
    return large(kind(D, V, **(sizes | choices | options)))


@cache
def small_model():
    """The folder of a random Llama, which lies there as long as the tests run."""
    folder = TemporaryDirectory()
    save("llama", Path(folder.name))
    atexit.register(folder.cleanup)
    return folder.name


def large(decoder):
    for parameter in decoder.parameters():
        nn.init.normal_(parameter, std=0.5)
    return decoder.eval()


def make_features(seed=0, images=B):
    """Features whose last image has two tokens masked, one of them in the middle."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(images, N, dtype=torch.bool)
    mask[-1, [1, 4]] = False
    tokens, pooled = (torch.randn(images, *shape, D, generator=generator) for shape in ((N,), ()))
    return Features(tokens, mask, pooled, torch.rand(images, N, 4, generator=generator))


def words(seed=0, shape=(B, K, T)):
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(seed))


def begin(decoder, features, captions=K):
    memory, state = decoder.start(features)
    return memory, decoder.widen(state, captions)


def read(decoder, features, tokens, attention=False):
    return decoder(*begin(decoder, features, tokens.shape[1]), tokens, attention)


def differ(one, other):
    """Whether logits (.. V) differ at every place."""
    return bool(((one - other).abs().amax(-1) > 1e-3).all())


@pytest.fixture(params=list(variants()))
def variant(request):
    return request.param


@pytest.fixture
def decoder(variant):
    return build(variant)


@torch.no_grad()
def test_any_cutting_of_the_words_gives_the_same_logits(decoder):
    memory, state = begin(decoder, make_features())
    tokens = words()
    whole = decoder(memory, state, tokens).logits
    assert whole.shape == (B, K, T, V)

    def read_on(state, done):
        for end in range(done + 1, T + 1):
            output = decoder(memory, state, tokens[..., done:end])
            assert_close(output.logits, whole[:, :, done:end], rtol=1e-4, atol=1e-4)
            read_on(output.state, end)

    read_on(state, 0)


@torch.no_grad()
def test_later_words_never_change_earlier_logits(decoder):
    tokens = words()
    changed = tokens.clone()
    changed[..., 4:] = (tokens[..., 4:] + 1) % V
    before, after = (read(decoder, make_features(), t).logits for t in (tokens, changed))
    assert torch.equal(before[:, :, :4], after[:, :, :4])
    assert differ(before[:, :, 4:], after[:, :, 4:])


@torch.no_grad()
def test_the_photo_matters_to_its_own_captions_alone(decoder):
    features, other = make_features(0), make_features(1)
    mixed = Features(*(torch.stack([new[0], old[1]]) for old, new in zip(features, other, strict=True)))
    before, after = (read(decoder, f, words()).logits for f in (features, mixed))
    assert differ(before[0], after[0])
    assert_close(before[1], after[1], rtol=0, atol=1e-5)


@torch.no_grad()
def test_masked_visual_tokens_do_not_matter(decoder):
    features = make_features()
    tokens, boxes = features.tokens.clone(), features.boxes.clone()
    tokens[~features.mask], boxes[~features.mask] = 7.0, -3.0
    changed = features._replace(tokens=tokens, boxes=boxes)
    for tokens in (words(), words(0, (B, 1, 1))):
        before, after = (read(decoder, f, tokens).logits for f in (features, changed))
        assert_close(before, after, rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_decoder_with_attention_sees_each_real_token(decoder):
    features = make_features()
    if read(decoder, features, words(), attention=True).attention is None:
        pytest.skip("it reads the pooled vector")
    before = read(decoder, features, words()).logits
    for n in range(N):
        tokens = features.tokens.clone()
        tokens[:, n] += 1.0
        after = read(decoder, features._replace(tokens=tokens), words()).logits
        moved = (before - after).abs().amax((1, 2, 3)) > 1e-5
        assert moved.tolist() == features.mask[:, n].tolist()


@torch.no_grad()
def test_captions_of_one_image_do_not_influence_each_other(decoder):
    tokens = words()
    changed = tokens.clone()
    changed[:, 1] = (tokens[:, 1] + 1) % V
    before, after = (read(decoder, make_features(), t).logits for t in (tokens, changed))
    assert_close(before[:, [0, 2]], after[:, [0, 2]], rtol=0, atol=1e-5)
    assert differ(before[:, 1, 1:], after[:, 1, 1:])


@torch.no_grad()
def test_select_reorders_as_if_the_captions_had_been_read_in_that_order(decoder):
    features, first, then = make_features(), words(0, (B, K, 3)), words(1, (B, 4, 2))
    parents = torch.tensor([[2, 0, 0, 1], [1, 1, 2, 0]])
    memory, state = begin(decoder, features)
    state = decoder.select(decoder(memory, state, first).state, parents)
    found = decoder(memory, state, then).logits
    rows = torch.cat([first[torch.arange(B)[:, None], parents], then], dim=-1)
    assert_close(found, read(decoder, features, rows).logits[:, :, 3:], rtol=1e-4, atol=1e-4)


def test_select_does_the_same_with_and_without_gradients():
    state = {"position": torch.arange(6).view(2, 3), "keys": torch.randn(2, 3, 4, 0, 5), "hidden": torch.randn(2, 3, 4)}
    parents = torch.tensor([[2, 0, 0, 1], [1, 1, 2, 0]])
    with_gradients = Decoder.select(state, parents)
    with torch.no_grad():
        without = Decoder.select(state, parents)
    assert all(torch.equal(without[name], part) for name, part in with_gradients.items())
    assert without["position"].tolist() == [[2, 0, 0, 1], [4, 4, 5, 3]]


@pytest.mark.parametrize("images", [[1], [1, 0], [0, 0, 1]])
@torch.no_grad()
def test_keep_drops_and_reorders_images(decoder, images):
    tokens = words()
    memory, state = begin(decoder, make_features())
    whole = decoder(memory, state, tokens).logits
    memory, state = decoder.keep(memory, decoder(memory, state, tokens[..., :3]).state, torch.tensor(images))
    found = decoder(memory, state, tokens[images, :, 3:]).logits
    assert_close(found, whole[images, :, 3:], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_attention_is_a_share_of_each_real_token_and_changes_nothing(variant, decoder):
    features = make_features()
    silent, output = (read(decoder, features, words(), attention) for attention in (False, True))
    assert silent.attention is None
    assert_close(silent.logits, output.logits, rtol=0, atol=1e-5)
    assert decoder.attends == (output.attention is not None)
    if output.attention is None:
        return
    heads = output.attention.shape[3]
    assert output.attention.shape == (B, K, T, heads, N)
    assert output.attention.masked_select(~features.mask[:, None, None, None]).eq(0).all()
    assert output.attention.masked_select(features.mask[:, None, None, None]).gt(0).all()
    total = output.attention.sum(-1)
    if variant[1].get("conditioning") == "prefix" or "map_layers" in inspect.signature(variant[0]).parameters:
        # words take their part
        assert total.lt(1).all()
    else:
        assert_close(total, torch.ones_like(total))


@torch.no_grad()
def test_attention_of_single_steps_is_that_of_one_pass(decoder):
    whole = read(decoder, make_features(), words(), attention=True).attention
    memory, state = begin(decoder, make_features())
    for step in range(T):
        _, state, attention = decoder(memory, state, words()[..., step : step + 1], attention=True)
        if whole is None:
            assert attention is None
        else:
            assert_close(attention[:, :, 0], whole[:, :, step], rtol=1e-4, atol=1e-5)


def gradients(decoder, steps):
    """Gradients of one fixed function of all logits, read in calls of the given lengths."""
    decoder.zero_grad(set_to_none=True)
    memory, state = begin(decoder, make_features())
    logits = []
    for tokens in words().split(steps, dim=-1):
        output = decoder(memory, state, tokens)
        logits.append(output.logits)
        state = output.state
    weight = torch.randn(B, K, T, V, generator=torch.Generator().manual_seed(5))
    (torch.cat(logits, dim=2).log_softmax(-1) * weight).sum().backward()
    return {name: parameter.grad for name, parameter in decoder.named_parameters()}


def test_every_parameter_gets_a_gradient(variant, decoder):
    dead = DEAD + (DEAD_OVER_ONE if variant[1].get("sees") == "pooled" else ())
    for name, gradient in gradients(decoder, T).items():
        assert gradient is not None, name
        assert gradient.abs().max() > 1e-5 or any(part in name for part in dead), name


@pytest.mark.parametrize("steps", [1, 3])
def test_gradients_pass_through_the_state(decoder, steps):
    whole, cut = gradients(decoder, T), gradients(decoder, steps)
    for name, gradient in whole.items():
        assert_close(cut[name], gradient, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


@torch.no_grad()
def test_a_state_dict_makes_another_decoder_the_same(variant, decoder):
    decoder.fit(make_features(3))
    other = build(variant, seed=1)
    before = read(other, make_features(), words()).logits
    other.load_state_dict(decoder.state_dict())
    after, wanted = (read(d, make_features(), words()).logits for d in (other, decoder))
    assert differ(before, wanted)
    assert torch.equal(after, wanted)


@torch.no_grad()
def test_fitted_features_have_mean_0_and_deviation_1(decoder):
    features = make_features(3, images=31)
    scale, shift = torch.arange(1.0, D + 1), torch.linspace(-20, 20, D)
    features = features._replace(tokens=features.tokens * scale + shift, pooled=features.pooled * scale - shift)
    features.tokens[~features.mask] = 1e4  # where nothing is, nothing may be measured
    decoder.fit(features)
    seen = []
    for module in decoder.modules():
        if isinstance(module, Standardise):
            module.register_forward_hook(lambda module, given, found: seen.append(found))
    decoder.start(features)
    if not seen:
        pytest.skip("it reads features as they are")
    vectors = seen[0][features.mask] if seen[0].shape[1:-1] == (N,) else seen[0].flatten(0, -2)
    assert_close(vectors.mean(0), torch.zeros(D), rtol=0, atol=1e-5)
    assert_close(vectors.std(0, correction=0), torch.ones(D), rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_caption_longer_than_max_length_is_refused(variant):
    if "max_length" not in inspect.signature(variant[0]).parameters:
        pytest.skip("it reads captions of any length")
    decoder = build(variant, max_length=4)
    memory, state = begin(decoder, make_features())
    wrong = "^decoder.max_length is 4; .*shorter captions$"
    with pytest.raises(RecipeError, match=wrong):
        decoder(memory, state, words()[..., :5])
    full = decoder(memory, state, words()[..., :4]).state
    with pytest.raises(RecipeError, match=wrong):
        decoder(memory, full, words()[..., 4:5])


@pytest.mark.parametrize("rates", [(0.5, 0.0), (0.0, 0.5)], ids=["words", "features"])
def test_dropout_acts_in_training_and_only_there(variant, rates):
    options = dict(zip(("dropout", "feature_dropout"), rates, strict=True))
    if not any(rate and name in inspect.signature(variant[0]).parameters for name, rate in options.items()):
        pytest.skip("a pretrained model has no dropout of its own")
    known = {name: rate for name, rate in options.items() if name in inspect.signature(variant[0]).parameters}
    decoder = build(variant, **known)
    one, other = (read(decoder, make_features(), words()).logits for _ in range(2))
    assert torch.equal(one, other)
    decoder.train()
    torch.manual_seed(1)  # two draws for 6 channels may be equal
    one, other = (read(decoder, make_features(), words()).logits for _ in range(2))
    assert differ(one, other)


def test_an_lstm_computes_in_fp32_where_a_cpu_has_no_bf16_for_it(monkeypatch):
    monkeypatch.setattr(recurrent, "runs_bf16", lambda device: False)
    decoder = recurrent.Recurrent(D, V, embedding_dim=9, dim=8).eval()
    kinds = []
    decoder.cell.register_forward_hook(lambda cell, given, made: kinds.extend(p.dtype for p in (*given[1], made[0])))
    with torch.autocast("cpu", torch.bfloat16):
        memory, state = begin(decoder, make_features())
        decoder(memory, state, words())
    assert kinds == [torch.float32] * 3


@torch.no_grad()
def test_bf16_weights_give_nearly_the_same_logits(decoder):
    features = make_features()
    wanted = read(decoder, features, words()).logits
    logits = read(decoder.bfloat16(), features.to(features.boxes.device, torch.bfloat16), words()).logits
    assert logits.dtype == torch.bfloat16
    assert (logits - wanted).abs().mean() < 0.05 * wanted.std()


def test_bf16_autocast_gives_nearly_the_same_logits_and_gradients_of_full_precision(decoder):
    wanted = read(decoder, make_features(), words()).logits
    with torch.autocast("cpu", torch.bfloat16):
        memory, state = begin(decoder, make_features())
        first = decoder(memory, state, words()[..., :3])
        second = decoder(memory, first.state, words()[..., 3:])
    logits = torch.cat([first.logits, second.logits], dim=2).float()
    assert (logits - wanted).abs().mean() < 0.05 * wanted.std()
    logits.sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in decoder.parameters())
