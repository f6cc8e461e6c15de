"""`attend` and `topdown` against the plainest way to write them, one word of one caption at a time."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from showtell.decoders import Attend, Recurrent, Topdown
from showtell.plumbing.errors import RecipeError
from tests.decoders.test_every_decoder import B, D, K, N, T, V, large, make_features, read, words


def plain_attend(decoder, features, tokens):
    """The course's loop: nothing is computed ahead, torch's own cells, one caption of one image."""
    seen = features.tokens[features.mask]
    width = decoder.words.embedding_dim
    cell = (nn.LSTMCell if len(decoder.parts) == 2 else nn.GRUCell)(width + D, decoder.query.in_features)
    cell.weight_ih.data = torch.cat([decoder.from_word.weight, decoder.from_image.weight], dim=1)
    cell.weight_hh.data, cell.bias_hh.data = decoder.from_state.weight, decoder.from_state.bias
    cell.bias_ih.data = decoder.from_word.bias
    state = decoder.first(features.pooled).chunk(len(decoder.parts))
    logits, maps = [], []
    for token in tokens:
        hidden = state[0]
        scores = decoder.score((decoder.key(seen) + decoder.query(hidden)).relu())[:, 0]
        weights = scores.softmax(0)
        context = decoder.gate(hidden).sigmoid() * (weights[:, None] * seen).sum(0)
        x = torch.cat([decoder.words.weight[token], context])[None]
        after = cell(x, tuple(part[None] for part in state) if len(state) == 2 else state[0][None])
        state = tuple(part[0] for part in after) if len(state) == 2 else (after[0],)
        logits.append(decoder.output(state[0]))
        maps.append(torch.zeros(N).masked_scatter(features.mask, weights))
    return torch.stack(logits), torch.stack(maps)


def one(features, image):
    return features._make(part[image] for part in features)  # without its image axis


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@torch.no_grad()
def test_attend_is_the_plain_loop(cell):
    torch.manual_seed(0)
    decoder = large(Attend(D, V, cell=cell, embedding_dim=9, dim=8, attention_dim=7))
    features, tokens = make_features(), words()
    output = read(decoder, features, tokens, attention=True)
    for image in range(B):
        for caption in range(K):
            logits, maps = plain_attend(decoder, one(features, image), tokens[image, caption])
            assert_close(output.logits[image, caption], logits, rtol=0, atol=1e-5)
            assert_close(output.attention[image, caption, :, 0], maps, rtol=0, atol=1e-6)


@torch.no_grad()
def test_attend_with_a_width_for_images_is_attend_on_tokens_that_were_mapped_and_told_where_they_lie():
    torch.manual_seed(0)
    sizes = {"embedding_dim": 9, "dim": 8, "attention_dim": 7}
    narrow, plain = large(Attend(D, V, image_dim=5, **sizes)), large(Attend(5, V, **sizes))
    own = {
        name: tensor for name, tensor in narrow.state_dict().items() if name.split(".")[0] not in ("narrow", "place")
    }
    plain.load_state_dict({name: t for name, t in own.items() if "standardise" not in name}, strict=False)
    features, tokens = make_features(), words()
    mapped = narrow.narrow(features.tokens) + narrow.place(features.boxes)
    seen = features._replace(tokens=mapped, pooled=narrow.narrow(features.pooled))
    assert_close(read(narrow, features, tokens).logits, read(plain, seen, tokens).logits, rtol=0, atol=1e-5)
    elsewhere = features._replace(boxes=features.boxes.flip(1))
    assert not torch.allclose(read(narrow, features, tokens).logits, read(narrow, elsewhere, tokens).logits)


def plain_topdown(decoder, features, tokens):
    real = features.mask
    regions = nn.functional.leaky_relu(decoder.norm(decoder.linear(features.tokens[real])))
    strongest = regions.amax(0)
    first = second = torch.zeros(1, 2 * decoder.dim)
    logits, maps = [], []
    for token in tokens:
        first = decoder.first(torch.cat([decoder.words.weight[token], strongest])[None], first)
        weights = decoder.attention(first)[0][real].softmax(0)
        seen = (weights[:, None] * regions).sum(0)
        second = decoder.second(torch.cat([first[0, : decoder.dim], seen])[None], second)
        logits.append(decoder.output(second[0, : decoder.dim]))
        maps.append(torch.zeros(N).masked_scatter(real, weights))
    return torch.stack(logits), torch.stack(maps)


@torch.no_grad()
def test_topdown_is_the_plain_loop():
    torch.manual_seed(0)
    decoder = large(Topdown(D, V, regions=N, embedding_dim=9, image_dim=6, dim=8, attention_dim=7))
    features, tokens = make_features(), words()
    output = read(decoder, features, tokens, attention=True)
    for image in range(B):
        for caption in range(K):
            logits, maps = plain_topdown(decoder, one(features, image), tokens[image, caption])
            assert_close(output.logits[image, caption], logits, rtol=0, atol=1e-5)
            assert_close(output.attention[image, caption, :, 0], maps, rtol=0, atol=1e-6)


def test_padding_among_the_regions_does_not_shift_batch_norm():
    torch.manual_seed(0)
    decoder = Topdown(D, V, regions=N, image_dim=6, dim=8, feature_dropout=0.0).train()
    features = make_features()
    decoder.start(features)
    seen = decoder.linear(features.tokens[features.mask])
    assert_close(decoder.norm.running_mean, 0.1 * seen.mean(0), rtol=0, atol=1e-6)


def test_topdown_trains_on_a_batch_of_one_real_region():
    torch.manual_seed(0)
    decoder = Topdown(D, V, regions=N, image_dim=6, dim=8).train()
    features = one(make_features(), slice(0, 1))
    memory, _ = decoder.start(features._replace(mask=torch.arange(N)[None] == 0))
    assert memory["tokens"].isfinite().all() and decoder.norm.training
    assert decoder.norm.running_mean.abs().max() == 0  # one value says nothing of a mean


def test_another_number_of_regions_is_refused_before_a_step():
    with pytest.raises(RecipeError, match=rf"^decoder.regions is 10; .*set decoder.regions={N}, "):
        Topdown(D, V, dim=8).start(make_features())


def test_he_initialisation_has_hes_variance_and_no_bias():
    torch.manual_seed(0)
    decoder = Recurrent(300, V, dim=200, embedding_dim=100, layers=2, initialisation="he")
    assert decoder.visual.linear.weight.std().item() == pytest.approx((2 / 300) ** 0.5, rel=0.05)
    assert decoder.cell.weight_hh_l1.std().item() == pytest.approx((2 / 200) ** 0.5, rel=0.05)
    assert decoder.cell.bias_ih_l0.abs().max() == 0


@pytest.mark.parametrize("cell", ["oslo_rnn", "oslo_gru", "oslo_lstm"])
def test_he_initialisation_counts_the_inputs_of_oslos_cells_too(cell):
    torch.manual_seed(0)
    decoder = Recurrent(300, V, dim=100, embedding_dim=200, cell=cell, initialisation="he")
    for name, parameter in decoder.cell.cells[0].named_parameters():
        if name.startswith("bias"):
            assert parameter.abs().max() == 0
        else:
            assert parameter.std().item() == pytest.approx((2 / 300) ** 0.5, rel=0.05)


def test_an_image_code_has_a_length_of_its_own_beside_words_alone():
    decoder = Recurrent(D, V, conditioning="every_step", embedding_dim=4, image_dim=6, dim=8, cell="oslo_gru")
    assert read(decoder, make_features(), words()).logits.shape == (B, K, T, V)
    with pytest.raises(RecipeError, match=r"^decoder.image_dim is 6; .*init_state.*decoder.conditioning=every_step$"):
        Recurrent(D, V, conditioning="init_state", image_dim=6)
