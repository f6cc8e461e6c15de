"""Shapes at public boundaries are checked in tests: a swapped axis raises wherever it comes in or goes out."""

import subprocess
import sys

import pytest
import torch
from jaxtyping import TypeCheckError

from showtell.decoders.decoder import Decoder, Output
from showtell.features import Features, grid_boxes
from showtell.layers.attention import Attention
from showtell.layers.visual import Standardise
from showtell.losses.cross_entropy import counted, cross_entropy
from showtell.tokenizers.captions import Captions
from tests.decoders.test_every_decoder import DECODERS, B, D, K, N, T, V, begin, make_features, small_model, words

SIZES = {"topdown": {"regions": N}, "gpt2": {"weights": "random", "dim": 8, "heads": 2, "layers": 2}}


def captions():
    return Captions(torch.ones(B, K, T, dtype=torch.long), torch.ones(B, K, T, dtype=torch.bool))


@pytest.mark.parametrize("name", DECODERS)
def test_a_swapped_axis_of_the_words_raises_in_every_decoder(name):
    sizes = {"model": small_model()} if name == "language_model" else SIZES.get(name, {})
    decoder = DECODERS[name](D, V, **sizes).eval()
    memory, state = begin(decoder, make_features())
    decoder(memory, state, words())
    for wrong in (words()[0], words().float(), words()[..., None]):
        with pytest.raises(TypeCheckError):
            decoder(memory, state, wrong)
    with pytest.raises(TypeCheckError):
        decoder.select(state, torch.zeros(B, dtype=torch.long))


@pytest.mark.parametrize("part", Features._fields)
def test_features_whose_parts_do_not_fit_each_other_raise(part):
    features = make_features()._asdict()
    Features(**features)
    with pytest.raises(TypeCheckError):
        Features(**features | {part: features[part].transpose(0, 1)})


WRONG = {
    "logits without captions": lambda: Output(torch.zeros(B, T, V), {}),
    "attention with heads last": lambda: Output(torch.zeros(B, K, T, V), {}, torch.zeros(B, K, T, N)),
    "attention of other words": lambda: Output(torch.zeros(B, K, T, V), {}, torch.zeros(B, T, K, 1, N)),
    "captions whose mask is turned": lambda: Captions(captions().tokens, captions().mask.transpose(1, 2)),
    "a mask of numbers": lambda: Captions(captions().tokens, captions().tokens),
    "a view of three edges": lambda: grid_boxes(2, 2, torch.zeros(B, 3)),
    "tokens with their image axis": lambda: Standardise(D).fit(torch.zeros(B, N, D)),
    "a mask of other images": lambda: Attention(D, 2).over_image(
        torch.zeros(B, K, T, D), *Attention(D, 2).keys_values(torch.zeros(B, N, D)), torch.ones(N, B).bool(), False
    ),
    "keys with heads last": lambda: Attention(D, 2).over_image(
        torch.zeros(B, K, T, D), torch.zeros(B, N, 2, 3), torch.zeros(B, 2, N, 3), torch.ones(B, N).bool(), False
    ),
    "a teacher without captions": lambda: cross_entropy(
        DECODERS["recurrent"](D, V), make_features(), captions(), taught=torch.zeros(B, T, V)
    ),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_wrong_shapes_raise(call):
    with pytest.raises(TypeCheckError):
        call()


def test_right_shapes_do_not():
    assert counted(captions()).shape == (B, K, T - 1)
    Output(torch.zeros(B, K, T, V), {}, torch.zeros(B, K, T, 1, N))
    assert issubclass(DECODERS["recurrent"], Decoder)


@pytest.mark.slow
def test_nothing_is_checked_outside_of_tests():
    code = """
import sys, torch
from showtell.features import Features
Features(*(torch.zeros(3),) * 4)
assert "beartype" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
