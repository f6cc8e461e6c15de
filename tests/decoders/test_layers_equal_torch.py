"""Our layers against torch's own on copied weights, and whole decoders against the plainest way to write them."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from showtell.decoders import Recurrent, Transformer
from showtell.features import Features
from showtell.layers import attention
from showtell.layers.attention import Attention, attend, fused, masked
from showtell.layers.blocks import Block
from showtell.layers.visual import Place, Projection, Standardise

B, K, H, N, D, T, DIM, V = 2, 3, 4, 5, 6, 7, 8, 11
MASK = torch.tensor([[True] * N, [True, False, True, True, False]])
LATER = torch.ones(T, T, dtype=torch.bool).triu(1)
CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def large(module):
    """The module in eval mode with parameters so large that none can be forgotten."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module.eval()


def copied(ours):
    """torch's attention with our weights."""
    theirs = nn.MultiheadAttention(DIM, H, batch_first=True).eval()
    maps = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.copy_(torch.cat([linear.weight for linear in maps]))
    theirs.in_proj_bias.copy_(torch.cat([linear.bias for linear in maps]))
    theirs.out_proj.load_state_dict(ours.out.state_dict())
    return theirs


def copied_block(ours, kind):
    """torch's pre-norm layer with our block's weights."""
    theirs = kind(DIM, H, 10, dropout=0.3, activation="gelu", batch_first=True, norm_first=True).eval()
    theirs.self_attn = copied(ours.self_attention)
    theirs.linear1.load_state_dict(ours.mlp[0].state_dict())
    theirs.linear2.load_state_dict(ours.mlp[3].state_dict())
    norms = [ours.self_norm, ours.cross_norm, ours.mlp_norm] if ours.cross_norm else [ours.self_norm, ours.mlp_norm]
    for i, norm in enumerate(norms, 1):
        getattr(theirs, f"norm{i}").load_state_dict(norm.state_dict())
    if ours.cross_attention is not None:
        theirs.multihead_attn = copied(ours.cross_attention)
    return theirs


@pytest.mark.parametrize("mask", ["causal", "image", "both"])
def test_the_fused_kernel_gives_what_the_explicit_products_give(mask):
    """On a GPU words go through it; it takes four axes, and with five torch falls back to explicit products."""
    query, keys, values = torch.randn(B, K, H, T, D), torch.randn(B, K, H, N, D), torch.randn(B, K, H, N, D)
    causal = torch.ones(T, N, dtype=torch.bool).tril()
    masks = {"causal": causal, "image": MASK[:, None, None, None], "both": causal & MASK[:, None, None, None]}
    wanted, _ = attend(query, keys, values, masks[mask], False)
    assert_close(fused(query, keys, values, masks[mask]), wanted, **CLOSE)
    assert_close(
        fused(query[:, 0], keys[:, 0], values[:, 0], causal), attend(query, keys, values, causal, False)[0][:, 0]
    )


def test_the_fused_kernel_gets_four_axes(monkeypatch):
    seen = []

    def noted(query, keys, values, attn_mask):
        seen.append((query.ndim, keys.ndim, values.ndim, attn_mask.ndim))
        return query

    monkeypatch.setattr(attention, "scaled_dot_product_attention", noted)
    x = torch.randn(B, K, H, T, D)
    assert fused(x, x, x, ~LATER).shape == fused(x, x, x, MASK[:, None, None, None, :1]).shape == x.shape
    assert seen == [(4, 4, 4, 2), (4, 4, 4, 4)]


def nothing_yet():
    return torch.empty(B, K, H, 0, DIM // H), torch.empty(B, K, H, 0, DIM // H)


def each(x):
    """Something of an image (B ...) for each of its captions (BK ...), as torch's layers want it."""
    return x.repeat_interleave(K, dim=0)


@pytest.mark.parametrize("mask", [MASK, torch.ones(B, N, dtype=torch.bool)], ids=["masked", "all real"])
@pytest.mark.parametrize("shape", [(1, 1), (1, T), (K, 1), (K, T)], ids=str)
def test_attention_over_the_image_is_torchs(mask, shape):
    ours = large(Attention(DIM, H))
    x, visual = torch.randn(B, *shape, DIM), torch.randn(B, N, DIM)
    out, weights = ours.over_image(x, *ours.keys_values(visual), mask, maps=True)
    visual, mask = (part.repeat_interleave(shape[0], dim=0) for part in (visual, mask))
    settings = {"key_padding_mask": ~mask, "average_attn_weights": False}
    wanted, wanted_weights = copied(ours)(x.flatten(0, 1), visual, visual, **settings)
    assert_close(out.flatten(0, 1), wanted, **CLOSE)
    assert_close(weights.flatten(0, 1), wanted_weights, **CLOSE)


@pytest.mark.parametrize("cuts", [[T], [3, 4], [1] * T])
def test_attention_over_the_words_is_torchs_with_a_causal_mask(cuts):
    ours = large(Attention(DIM, H))
    x = torch.randn(B, K, T, DIM)
    past, outs = nothing_yet(), []
    for piece in x.split(cuts, dim=2):
        out, _, past = ours.over_words(piece, past, None, maps=False)
        outs.append(out)
    flat = x.flatten(0, 1)
    wanted, _ = copied(ours)(flat, flat, flat, attn_mask=LATER)
    assert_close(torch.cat(outs, dim=2).flatten(0, 1), wanted, **CLOSE)
    assert past[0].shape == past[1].shape == (B, K, H, T, DIM // H)


def test_the_explicit_product_is_the_fused_kernel():
    query, keys, values = torch.randn(B, H, T, 2), torch.randn(B, H, N, 2), torch.randn(B, H, N, 2)
    found, weights = attend(query, keys, values, MASK[:, None, None], maps=True)
    assert_close(found, nn.functional.scaled_dot_product_attention(query, keys, values, MASK[:, None, None]), **CLOSE)
    assert_close(weights @ values, found)


def test_a_block_with_cross_attention_is_torchs_decoder_layer():
    ours = large(Block(Attention(DIM, H), Attention(DIM, H), DIM, 10, 0.3))
    x, visual = torch.randn(B, K, T, DIM), torch.randn(B, N, DIM)
    keys, values, passed_on = ours.image(visual, MASK)
    out, _, _ = ours(x, nothing_yet(), None, (keys, values, MASK), False)
    theirs = copied_block(ours, nn.TransformerDecoderLayer)
    wanted = theirs(x.flatten(0, 1), each(visual), tgt_mask=LATER, memory_key_padding_mask=each(~MASK))
    assert_close(out.flatten(0, 1), wanted, **CLOSE)
    assert torch.equal(passed_on, visual)


def make_features():
    return Features(torch.randn(B, N, D), MASK, torch.randn(B, D), torch.rand(B, N, 4))


def make_transformer(conditioning, sees="tokens"):
    sizes = {"dim": DIM, "heads": H, "layers": 2, "mlp_dim": 10, "max_length": 9}
    decoder = large(Transformer(D, V, conditioning=conditioning, sees=sees, **sizes))
    return decoder, make_features()


def logits_of(decoder, features, tokens):
    memory, state = decoder.start(features)
    return decoder(memory, decoder.widen(state, tokens.shape[1]), tokens).logits


def embedded(decoder, tokens):
    return decoder.words.weight[tokens.flatten(0, 1)] + decoder.positions.weight[:T]


def to_logits(decoder, x):
    return decoder.norm(x) @ decoder.words.weight.T + decoder.bias


def test_a_cross_transformer_is_a_stack_of_torchs_decoder_layers():
    decoder, features = make_transformer("cross")
    tokens = torch.randint(V, (B, K, T))
    visual = decoder.visual(features.tokens) + decoder.place(features.boxes)
    x = embedded(decoder, tokens)
    for block in decoder.blocks:
        layer = copied_block(block, nn.TransformerDecoderLayer)
        x = layer(x, each(visual), tgt_mask=LATER, memory_key_padding_mask=each(~MASK))
    assert_close(logits_of(decoder, features, tokens).flatten(0, 1), to_logits(decoder, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sees", ["tokens", "pooled"])
def test_a_prefix_transformer_is_one_pass_over_image_and_words(sees):
    """Image tokens see each other in both directions and no word; words see the image and the words before them."""
    decoder, features = make_transformer("prefix", sees)
    tokens = torch.randint(V, (B, K, T))
    visual, mask = decoder.visual(features.pooled)[:, None], torch.ones(B, 1, dtype=torch.bool)
    if sees == "tokens":
        visual, mask = decoder.visual(features.tokens) + decoder.place(features.boxes), MASK
    prefix = visual.shape[1]
    hidden = torch.zeros(prefix + T, prefix + T, dtype=torch.bool)
    hidden[:prefix, prefix:] = True
    hidden[prefix:, prefix:] = LATER
    padding = torch.cat([each(~mask), torch.zeros(B * K, T, dtype=torch.bool)], dim=1)
    x = torch.cat([each(visual), embedded(decoder, tokens)], dim=1)
    for block in decoder.blocks:
        x = copied_block(block, nn.TransformerEncoderLayer)(x, hidden, padding)
    wanted = to_logits(decoder, x[:, prefix:])
    assert_close(logits_of(decoder, features, tokens).flatten(0, 1), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("conditioning", ["cross", "prefix"])
def test_the_order_of_visual_tokens_is_nothing_and_their_boxes_are_something(conditioning):
    decoder, features = make_transformer(conditioning)
    tokens, order = torch.randint(V, (B, K, T)), torch.tensor([3, 0, 4, 2, 1])
    turned = Features(features.tokens[:, order], MASK[:, order], features.pooled, features.boxes[:, order])
    moved = features._replace(boxes=features.boxes[:, order])
    before = logits_of(decoder, features, tokens)
    assert_close(logits_of(decoder, turned, tokens), before, rtol=1e-5, atol=1e-5)
    assert (logits_of(decoder, moved, tokens) - before).abs().amax(-1).min() > 1e-3


@pytest.mark.parametrize("conditioning", ["cross", "prefix"])
def test_attention_counts_the_heads_of_all_layers_first_layer_first(conditioning):
    decoder, features = make_transformer(conditioning)
    memory, state = decoder.start(features)
    tokens = torch.randint(V, (B, 1, T))
    both = decoder(memory, state, tokens, attention=True).attention
    decoder.blocks = decoder.blocks[:1]
    assert both.shape == (B, 1, T, 2 * H, N)
    assert torch.equal(decoder(memory, state, tokens, attention=True).attention, both[..., :H, :])


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("conditioning", ["first_token", "init_state", "every_step"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_recurrent_decoder_is_torchs_cell_fed_by_hand(cell, conditioning, layers):
    decoder = large(Recurrent(D, V, cell=cell, conditioning=conditioning, embedding_dim=9, dim=DIM, layers=layers))
    features, tokens = make_features(), torch.randint(V, (B, K, T))
    code = decoder.visual(features.pooled)
    theirs = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell](decoder.cell.input_size, DIM, layers)
    theirs.load_state_dict(decoder.cell.state_dict())
    found = logits_of(decoder, features, tokens)
    for b in range(B):
        for k in range(K):
            vectors = [decoder.words.weight[token] for token in tokens[b, k]]
            first = None
            if conditioning == "first_token":
                vectors[0] = code[b]
            elif conditioning == "every_step":
                vectors = [torch.cat([vector, code[b]]) for vector in vectors]
            elif cell == "lstm":
                hidden, memory = code[b].tanh().split(layers * DIM)
                first = hidden.reshape(layers, DIM), memory.reshape(layers, DIM)
            else:
                first = code[b].tanh().reshape(layers, DIM)
            states, _ = theirs(torch.stack(vectors), first)
            assert_close(found[b, k], decoder.output(states), **CLOSE)


def test_the_image_code_stands_where_bos_stood_whatever_bos_is():
    decoder = large(Recurrent(D, V, conditioning="first_token", embedding_dim=9, dim=DIM))
    features, tokens = make_features(), torch.randint(V, (B, K, T))
    other = tokens.clone()
    other[..., 0] = (tokens[..., 0] + 1) % V
    assert torch.equal(logits_of(decoder, features, tokens), logits_of(decoder, features, other))


def test_a_channel_that_never_varied_does_not_explode():
    layer, vectors = Standardise(D), torch.randn(31, D)
    vectors[:, 2] = 4.0
    layer.fit(vectors)
    assert layer(vectors)[:, 2].eq(0).all()
    assert layer(vectors + 1)[:, 2].abs().max() <= 10


def test_a_dropped_channel_is_missing_everywhere_in_an_image_and_the_others_make_up_for_it():
    layer = Projection(D, D, dropout=0.5).train()
    layer.norm = nn.Identity()
    layer.linear.load_state_dict({"weight": torch.eye(D), "bias": torch.zeros(D)})
    found = layer(torch.ones(31, N, D))
    assert set(found.unique().tolist()) == {0.0, 2.0}
    assert (found == found[:, :1]).all() and not (found == found[:1]).all()
    assert set(layer(torch.ones(31, D)).unique().tolist()) == {0.0, 2.0}


def test_a_place_is_a_linear_map_of_sines_and_cosines_of_the_edges():
    place, box = Place(DIM), [0.1, 0.2, 0.5, 0.9]
    angles = [[edge * math.pi * 2**f for f in range(4)] for edge in box]
    vector = [wave(angle) for row in angles for wave in (math.sin, math.cos) for angle in row]
    assert_close(place(torch.tensor([[box]])), (place.linear.weight @ torch.tensor(vector))[None, None], **CLOSE)


def test_scores_of_masked_keys_are_minus_infinity():
    scores, mask = torch.randn(2, 3, 4), torch.tensor([True, False, True, True])
    assert torch.equal(masked(scores, mask), scores.masked_fill(~mask, -math.inf))
    assert torch.equal(masked(scores, mask | True), scores)
