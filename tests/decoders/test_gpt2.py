"""Our GPT-2 against transformers' on copied weights, in every layout of its files."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from showtell.decode.beam import beam
from showtell.decode.greedy import greedy
from showtell.decoders.gpt2 import GPT2
from showtell.features import Features
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.torchvision_repair import repair_torchvision
from showtell.tokenizers.captions import Special

repair_torchvision()

from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel  # noqa: E402

B, K, N, D, T, V = 2, 3, 5, 6, 7, 13
SIZES = {"n_embd": 16, "n_layer": 3, "n_head": 4, "n_positions": 24, "vocab_size": V}
SPECIAL = Special(begin=(V - 1,), eos=V - 1, pad=V - 1)


def theirs(cross=True, seed=0, **changes):
    torch.manual_seed(seed)
    ids = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), V - 1)
    model = GPT2LMHeadModel(GPT2Config(**(SIZES | ids | changes), add_cross_attention=cross)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture
def folder(tmp_path):
    theirs().save_pretrained(tmp_path)
    return tmp_path


def features(images=B):
    mask = torch.ones(images, N, dtype=torch.bool)
    return Features(torch.randn(images, N, D), mask, torch.randn(images, D), torch.rand(images, N, 4))


def words():
    return torch.randint(V, (B, K, T))


def visual_tokens(decoder, seen):
    """What cross-attention looks at, for each caption of an image."""
    return decoder.visual(seen.tokens)


def logits_of(decoder, seen, tokens):
    memory, state = decoder.start(seen)
    return decoder(memory, decoder.widen(state, tokens.shape[1]), tokens).logits


@torch.no_grad()
def test_logits_are_those_of_transformers_with_cross_attention(folder):
    decoder, seen, tokens = GPT2(D, V, weights=str(folder)).eval(), features(), words()
    visual = visual_tokens(decoder, seen).repeat_interleave(K, 0)
    wanted = theirs()(tokens.flatten(0, 1), encoder_hidden_states=visual).logits
    assert_close(logits_of(decoder, seen, tokens).flatten(0, 1), wanted, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_new_cross_attention_changes_nothing_at_step_0(tmp_path):
    model = theirs(cross=False)
    model.save_pretrained(tmp_path)
    decoder, tokens = GPT2(D, V, weights=str(tmp_path)).eval(), words()
    wanted = model(tokens.flatten(0, 1)).logits
    assert_close(logits_of(decoder, features(), tokens).flatten(0, 1), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_beams", [1, 3])
@torch.no_grad()
def test_captions_are_those_of_generate(folder, num_beams):
    decoder, model, seen = GPT2(D, V, weights=str(folder)).eval(), theirs(), features(images=6)
    settings = GenerationConfig(
        max_new_tokens=8, num_beams=num_beams, do_sample=False, length_penalty=1.0, early_stopping=False
    )
    settings.bos_token_id = settings.eos_token_id = settings.pad_token_id = V - 1
    begin = torch.full((6, 1), V - 1)
    wanted = model.generate(begin, generation_config=settings, encoder_hidden_states=visual_tokens(decoder, seen))
    if num_beams == 1:
        found = greedy(decoder, seen, SPECIAL, None, max_length=9)
    else:
        found = beam(decoder, seen, SPECIAL, None, max_length=9, num_beams=num_beams, length_penalty=1.0)
    ours = [row[real].tolist() for row, real in zip(found.tokens[:, 0], found.mask[:, 0], strict=True)]
    assert [_cut(row) for row in ours] == [_cut(row) for row in wanted.tolist()]


def _cut(row):
    """bos and words, up to the first eos."""
    ends = [i for i, token in enumerate(row) if token == V - 1 and i]
    return row[: ends[0]] if ends else row


def layouts():
    """The same tensors as OpenAI's file, transformers' and half of a VisionEncoderDecoderModel's."""
    state = theirs().state_dict()
    triangle = torch.ones(1, 1, 24, 24, dtype=torch.bool).tril()
    bare = {name.removeprefix("transformer."): t for name, t in state.items() if name != "lm_head.weight"}
    yield "OpenAI's", bare | {"h.0.attn.bias": triangle, "h.0.attn.masked_bias": torch.tensor(-1e4)}
    yield "transformers'", state
    rest = {"encoder.layer.weight": torch.ones(2), "enc_to_dec_proj.bias": torch.ones(2)}
    yield "a pair's", {f"decoder.{name}": tensor for name, tensor in state.items()} | rest


@pytest.mark.parametrize(("name", "state"), [pytest.param(*layout, id=layout[0]) for layout in layouts()])
@pytest.mark.parametrize("kind", ["bin", "safetensors"])
@torch.no_grad()
def test_every_layout_of_a_file_gives_the_same_decoder(tmp_path, name, state, kind):
    state, file = {key: tensor.clone() for key, tensor in state.items()}, tmp_path / f"decoder_model.{kind}"
    torch.save(state, file) if kind == "bin" else save_file(state, file)
    decoder, seen, tokens = GPT2(D, V, weights=str(file), heads=4).eval(), features(), words()
    wanted = theirs()(tokens.flatten(0, 1), encoder_hidden_states=visual_tokens(decoder, seen).repeat_interleave(K, 0))
    assert_close(logits_of(decoder, seen, tokens).flatten(0, 1), wanted.logits, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_padding_on_the_left_or_the_right_gives_the_same_logits(folder):
    """transformers reads the words left-padded with a mask and their position ids; ours are always padded right."""
    decoder, model, seen, tokens = GPT2(D, V, weights=str(folder)).eval(), theirs(), features(), words()
    padded = torch.cat([torch.full((B * K, 2), V - 1), tokens.flatten(0, 1)], dim=1)
    mask = torch.cat([torch.zeros(B * K, 2), torch.ones(B * K, T)], dim=1).long()
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    visual = visual_tokens(decoder, seen).repeat_interleave(K, 0)
    left = model(padded, attention_mask=mask, position_ids=positions, encoder_hidden_states=visual).logits[:, 2:]
    right = torch.cat([tokens, torch.full((B, K, 2), V - 1)], dim=2)
    assert_close(logits_of(decoder, seen, right)[:, :, :T].flatten(0, 1), left, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_rows_beyond_the_tokenizer_are_cut_off(tmp_path):
    theirs().save_pretrained(tmp_path)
    assert logits_of(GPT2(D, V - 2, weights=str(tmp_path)).eval(), features(), words() % 9).shape[-1] == V - 2


def wrong_prefix(state):
    return {f"model.{name}": tensor for name, tensor in state.items()}


def half(state):
    return {name: tensor for name, tensor in state.items() if ".h.2." not in name and ".h.1.mlp" not in name}


def another_size(state):
    return state | {"transformer.h.1.mlp.c_fc.weight": torch.ones(16, 63)}


def too_many(state):
    return state | {"transformer.h.0.gate.weight": torch.ones(2)}


def untied(state):
    return state | {"lm_head.weight": state["lm_head.weight"] + 1}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (wrong_prefix, "wte.weight is missing"),
        (half, "blocks.1.mlp.0.weight"),
        (another_size, r"blocks.1.mlp.0.weight is \(63, 16\), not \(64, 16\)"),
        (too_many, "not of this network"),
        (untied, "not tied"),
    ],
)
def test_a_file_that_does_not_fit_is_an_error_that_lists_what_is_wrong(tmp_path, change, says):
    file = tmp_path / "decoder_model.bin"
    torch.save(change(theirs().state_dict()), file)
    with pytest.raises(InputError, match=says) as caught:
        GPT2(D, V, weights=str(file), heads=4)
    assert caught.value.key == "decoder.weights"


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"dim": 8}, "decoder.dim"),
        ({"layers": 2}, "decoder.layers"),
        ({"heads": 2}, "decoder.heads"),
        ({"cross_layers": (3,)}, "decoder.cross_layers"),
        ({"cross_dim": 6}, "decoder.cross_dim"),
    ],
)
def test_sizes_that_the_weights_do_not_have_are_refused(folder, options, key):
    with pytest.raises(RecipeError) as caught:
        GPT2(D, V, weights=str(folder), **options)
    assert caught.value.key == key


@pytest.mark.parametrize(("size", "says"), [(V + 1, "13 words"), (3, "10 words more")])
def test_a_vocabulary_that_does_not_match_is_refused(tmp_path, size, says):
    if size == 3:
        theirs(vocab_size=V + 1100).save_pretrained(tmp_path)
    else:
        theirs().save_pretrained(tmp_path)
    with pytest.raises(InputError) as caught:
        GPT2(D, size, weights=str(tmp_path))
    assert caught.value.key == "decoder.weights" and "tokenizer" in str(caught.value.advice)


@pytest.mark.parametrize("name", ["nobody/nothing", "./nothing", "/nowhere", "a/b/c"])
def test_a_name_that_leads_nowhere_is_refused(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError) as caught:
        GPT2(D, V, weights=name)
    assert caught.value.key == "decoder.weights" and name in str(caught.value)


def test_a_folder_of_another_kind_of_model_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))
    with pytest.raises(InputError, match="language_model"):
        GPT2(D, V, weights=str(folder))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("activation_function", "relu"),
        ("layer_norm_epsilon", 1e-3),
        ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True),
    ],
)
def test_a_gpt2_that_computes_otherwise_is_refused(tmp_path, key, value):
    theirs(**{key: value}).save_pretrained(tmp_path)
    for weights in (tmp_path, tmp_path / "model.safetensors"):
        with pytest.raises(InputError) as caught:
            GPT2(D, V, weights=str(weights))
        assert caught.value.key == "decoder.weights" and f"{key} {json.dumps(value)}" in str(caught.value)
        assert "decoder=language_model" in str(caught.value.advice)


@torch.no_grad()
def test_a_config_that_names_only_the_type_means_the_defaults(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "activation_function": "gelu_pytorch_tanh"}))
    decoder, seen, tokens = GPT2(D, V, weights=str(folder), heads=4).eval(), features(), words()
    wanted = theirs()(tokens.flatten(0, 1), encoder_hidden_states=visual_tokens(decoder, seen).repeat_interleave(K, 0))
    assert_close(logits_of(decoder, seen, tokens).flatten(0, 1), wanted.logits, rtol=1e-5, atol=1e-5)


def test_cross_attention_may_be_narrow_and_in_some_layers_only():
    """SmallCap's count: dim w + w for queries, 2 (de w + w) for keys and values, w dim + dim for the output."""
    decoder = GPT2(D, V, weights="random", map="none", dim=16, layers=3, heads=4, cross_layers=(0, 2), cross_dim=8)
    crossed = [block.cross_attention for block in decoder.blocks]
    assert crossed[1] is None
    for attention in (crossed[0], crossed[2]):
        assert sum(p.numel() for p in attention.parameters()) == 16 * 8 + 8 + 2 * (D * 8 + 8) + 8 * 16 + 16
