"""Each word's log probability and map, and the other captions of the search."""

import numpy as np
import pytest
import torch
from PIL import Image

from showtell.cache import encode
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.explain.explain import explain
from showtell.explain.spoken import _joined, speak
from showtell.loading import load
from tests.captioners.huggingface.tiny import folder
from tests.report.small import small_captioner

BEAM = {"name": "beam", "num_beams": 3, "max_length": 9, "min_length": 5}
PHOTOS = [
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 50, 3), dtype=np.uint8)) for seed in range(3)
]


@torch.no_grad()
def log_probs_of(captioner, image, caption):
    """Each id's log probability, one step at a time; the last one is that of eos."""
    memory, state = captioner.decoder.start(encode(captioner.encoder, [image]))
    found = []
    for read, chosen in zip(caption.tokens, caption.tokens[1:], strict=False):
        output = captioner.decoder(memory, state, torch.tensor([[[read]]]))
        state = output.state
        found.append(float(output.logits[0, 0, 0].log_softmax(-1)[chosen]))
    return found


def test_captions_are_the_captioners_and_words_have_their_log_probabilities():
    captioner = small_captioner(decode=BEAM)
    for spoken, caption, image in zip(speak(captioner, PHOTOS), captioner.caption(PHOTOS), PHOTOS, strict=True):
        assert spoken.caption.text == caption.text and spoken.boxes is None
        assert " ".join(word.text for word in spoken.words) == caption.text
        steps = log_probs_of(captioner, image, caption)
        assert [word.log_prob for word in spoken.words] == pytest.approx(steps[: len(spoken.words)], abs=1e-4)
        assert sum(steps) == pytest.approx(caption.log_prob, abs=1e-4)


def test_the_other_captions_are_those_of_the_beam_and_change_nothing():
    captioner = small_captioner(decode=BEAM)
    (spoken,) = speak(captioner, PHOTOS[:1])
    assert 0 < len(spoken.others) <= 2
    assert spoken.caption.text not in {other.text for other in spoken.others}
    assert len({other.text for other in spoken.others}) == len(spoken.others)


def test_maps_are_those_of_explain():
    captioner = small_captioner(decode=BEAM)
    found = explain(captioner, PHOTOS[0], how="attention", share=None)
    spoken = speak(captioner, PHOTOS, maps=True)[0]
    assert [word.text for word in spoken.words] == found.words
    torch.testing.assert_close(torch.tensor([word.map for word in spoken.words]), found.maps, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.tensor(spoken.boxes), found.boxes)


def test_a_decoder_without_attention_has_no_maps():
    captioner = small_captioner(decoder={"name": "recurrent", "cell": "lstm", "dim": 8}, decode=BEAM)
    (spoken,) = speak(captioner, PHOTOS[:1], maps=True)
    assert spoken.boxes is None and spoken.words and all(word.map is None for word in spoken.words)


def test_an_empty_caption_has_no_words(monkeypatch):
    captioner = small_captioner(decode=BEAM)
    special = captioner.tokenizer.special
    empty = [[Caption("", [*special.begin, special.eos], -1.0)]]
    monkeypatch.setattr("showtell.captioners.speaking.describe_several", lambda *_: empty)
    (spoken,) = speak(captioner, PHOTOS[:1], maps=True)
    assert spoken.words == [] and spoken.others == [] and spoken.caption.text == ""


class Repeats(Captioner):
    name = "repeats"

    def caption(self, images, **decode):
        return [Caption("a dog") for _ in images]

    def save_pretrained(self, folder, *, half=False):
        raise NotImplementedError


def test_a_captioner_without_probabilities_has_only_captions():
    assert [each.caption.text for each in speak(Repeats(), PHOTOS)] == ["a dog"] * 3
    assert all(each.words == [] and each.others == [] for each in speak(Repeats(), PHOTOS))


class Pieces:
    def decode(self, ids):
        return "".join({1: "a", 2: " sur", 3: "fer", 4: "."}[token] for token in ids)


def test_a_word_of_several_pieces_has_their_sum_and_the_mean_of_their_maps():
    maps = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    words = _joined(Pieces(), [1, 2, 3], [-0.5, -1.0, -0.25], maps)
    assert [(word.text, word.log_prob, word.map) for word in words] == [
        ("a", -0.5, [1.0, 0.0]),
        ("surfer", -1.25, [0.25, 0.75]),
    ]


@pytest.mark.slow
def test_a_foreign_captioner_has_words_of_its_whole_answer():
    captioner = load(str(folder("git")))
    for spoken, caption in zip(speak(captioner, PHOTOS, maps=True), captioner.caption(PHOTOS), strict=True):
        assert spoken.caption == caption and spoken.boxes is None and spoken.others == []
        assert caption.log_prob - 1e-3 <= sum(word.log_prob for word in spoken.words) <= 0 or not spoken.words
        assert spoken.words and all(word.map is None and word.text for word in spoken.words)
