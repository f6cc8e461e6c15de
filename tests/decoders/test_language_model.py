"""Language models of many families behind a visual prefix: what they compute with it, in one pass or in any cutting."""

import inspect

import pytest
import torch
from torch.testing import assert_close

from showtell.decoders.language_model import LanguageModel
from showtell.features import Features
from showtell.plumbing.errors import InputError, RecipeError
from tests.decoders.families import FAMILIES, V, model_of, save

B, K, N, D, T = 2, 3, 5, 6, 7
MAPS = ["linear", "mlp", "transformer"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {family: save(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def build(folder, **options):
    torch.manual_seed(0)
    decoder = LanguageModel(D, V, model=folder, **options).eval()
    for parameter in decoder.visual.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return decoder


def features(padded=True):
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(B, N, dtype=torch.bool)
    if padded:
        mask[1, 3:] = False
    tokens, pooled = torch.randn(B, N, D, generator=generator), torch.randn(B, D, generator=generator)
    return Features(tokens, mask, pooled, torch.rand(B, N, 4, generator=generator))


def words():
    return torch.randint(V, (B, K, T), generator=torch.Generator().manual_seed(1))


def read(decoder, seen, tokens, **more):
    memory, state = decoder.start(seen)
    return decoder(memory, decoder.widen(state, tokens.shape[1]), tokens, **more)


@torch.no_grad()
def test_logits_are_the_models_own_behind_the_visual_vectors(family, folders):
    """The model reads each caption alone: the real visual vectors, then the words, in one plain pass."""
    decoder, tokens, seen = build(folders[family]), words(), features()
    found = read(decoder, seen, tokens).logits
    model = model_of(family)
    vectors, mask = decoder.visual(seen.tokens, seen.mask)
    for b in range(B):
        for k in range(K):
            whole = torch.cat([vectors[b][mask[b]], model.get_input_embeddings()(tokens[b, k])])[None]
            wanted = model(inputs_embeds=whole).logits[0, -T:]
            assert_close(found[b, k], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("map", MAPS)
@pytest.mark.parametrize("sees", ["tokens", "pooled"])
@torch.no_grad()
def test_any_cutting_gives_the_same_logits(folders, map, sees):
    decoder = build(folders["llama"], map=map, sees=sees, length=4, map_layers=2)
    whole = read(decoder, features(), words()).logits
    for cuts in ([1, 1, 5], [3, 4], [1, 3, 3]):
        memory, state = decoder.start(features())
        state, logits = decoder.widen(state, K), []
        for part in words().split(cuts, dim=-1):
            output = decoder(memory, state, part)
            state = output.state
            logits.append(output.logits)
        assert_close(torch.cat(logits, dim=2), whole, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_cached_equals_full_in_every_family(family, folders):
    decoder = build(folders[family])
    whole = read(decoder, features(), words()).logits
    memory, state = decoder.start(features())
    state = decoder.widen(state, K)
    for step in range(T):
        output = decoder(memory, state, words()[..., step : step + 1])
        state = output.state
        assert_close(output.logits[:, :, 0], whole[:, :, step], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_reordered_beams_go_on_as_if_read_in_that_order(family, folders):
    decoder, first, then = build(folders[family]), words()[..., :3], words()[..., 3:5]
    parents = torch.tensor([[2, 0, 0], [1, 1, 2]])
    memory, state = decoder.start(features())
    state = decoder.select(decoder(memory, decoder.widen(state, K), first).state, parents)
    rows = torch.cat([first[torch.arange(B)[:, None], parents], then], dim=-1)
    wanted = read(decoder, features(), rows).logits[:, :, 3:]
    assert_close(decoder(memory, state, then).logits, wanted, rtol=1e-4, atol=1e-4)
    memory, state = decoder.keep(memory, state, torch.tensor([1]))
    assert_close(decoder(memory, state, then[1:]).logits, wanted[1:], rtol=1e-4, atol=1e-4)


def test_gradients_reach_the_map_and_the_model(family, folders):
    decoder = build(folders[family])
    read(decoder, features(), words()).logits.log_softmax(-1)[..., 3].sum().backward()
    for name, parameter in decoder.visual.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
        assert parameter.grad.isfinite().all(), name
    assert decoder.model.get_input_embeddings().weight.grad.abs().max() > 0


def test_a_photo_whose_first_visual_token_is_padding_gives_finite_gradients(folders):
    seen = features()
    seen.mask[0, 0] = False
    decoder = build(folders["llama"])
    read(decoder, seen, words()).logits.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in decoder.visual.parameters())


@torch.no_grad()
def test_attention_is_over_the_visual_tokens_of_each_photo(family, folders):
    decoder = build(folders[family])
    silent, output = (read(decoder, features(), words(), attention=attention) for attention in (False, True))
    assert silent.attention is None
    assert_close(silent.logits, output.logits, rtol=0, atol=1e-5)
    assert output.attention.shape == (B, K, T, 2 * 4, N)
    assert output.attention[1, ..., 3:].eq(0).all() and output.attention[0].gt(0).all()
    assert output.attention.sum(-1).lt(1).all()


@torch.no_grad()
def test_each_real_visual_token_matters_to_each_word(folders):
    decoder, seen = build(folders["llama"]), features()
    before = read(decoder, seen, words()).logits
    for n in range(N):
        tokens = seen.tokens.clone()
        tokens[:, n] += 1.0
        after = read(decoder, seen._replace(tokens=tokens), words()).logits
        moved = (before - after).abs().amax((1, 3)) > 1e-6
        assert moved.all(-1).tolist() == seen.mask[:, n].tolist()


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("mistral", {"sliding_window": 8}),
        ("gemma3_text", {}),
        ("gemma2", {}),
    ],
)
def test_a_model_with_attention_of_another_kind_is_refused(tmp_path, family, changes, monkeypatch):
    from tests.decoders.families import COMMON, GROUPED

    monkeypatch.setitem(FAMILIES, family, COMMON | GROUPED | {"head_dim": 4})
    with pytest.raises(RecipeError) as caught:
        LanguageModel(D, V, model=save(family, tmp_path, **changes))
    assert caught.value.key == "decoder.model" and "causal attention" in str(caught.value)


def test_a_vocabulary_that_is_larger_than_the_models_is_refused(folders):
    with pytest.raises(InputError, match="11 words") as caught:
        LanguageModel(D, V + 1, model=folders["llama"])
    assert "tokenizer.model=" in caught.value.advice


@torch.no_grad()
def test_rows_beyond_the_tokenizer_are_cut_off(folders):
    decoder = LanguageModel(D, V - 2, model=folders["llama"]).eval()
    assert read(decoder, features(), words() % 8).logits.shape[-1] == V - 2


def test_a_model_without_all_its_weights_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    save("llama", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="down_proj"):
        LanguageModel(D, V, model=str(tmp_path))


@pytest.mark.parametrize("name", ["nobody/nothing", "./nothing", "/nowhere", "nothing.gguf"])
def test_a_name_that_leads_nowhere_is_refused(name):
    with pytest.raises(InputError) as caught:
        LanguageModel(D, V, model=name)
    assert caught.value.key == "decoder.model" and name in str(caught.value)


def test_every_linear_map_of_a_layer_is_known_by_what_it_does(family, folders):
    decoder = build(folders[family])
    sizes, modules = decoder.language, dict(decoder.named_modules())
    assert {*sizes.inputs, *sizes.outputs, *sizes.mlp_outputs} <= {*sizes.linear} <= modules.keys()
    assert len(sizes.outputs) == len(sizes.mlp_outputs) == sizes.layers == 2
    assert len(sizes.inputs) in (2, 6)
    memory, _ = decoder.start(features())
    assert memory["keys0"].shape == (B, sizes.heads, N, sizes.width)


def test_its_options_have_defaults():
    assert all(p.default is not p.empty for p in list(inspect.signature(LanguageModel).parameters.values())[2:])
