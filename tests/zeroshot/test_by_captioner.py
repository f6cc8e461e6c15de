"""Zero-shot by a captioner: equal to a slow loop that reads one text of one photo at a time."""

import math

import pytest
import torch
from PIL import Image

import showtell
from showtell.cache import encode
from showtell.captioners.neural import Neural
from showtell.plumbing.errors import InputError
from showtell.predict.photos import find_photos
from showtell.tokenizers.captions import Special
from showtell.zeroshot import by_captioner
from showtell.zeroshot.by_captioner import ByCaptioner, text_scores
from showtell.zeroshot.classify import classify_photos
from showtell.zeroshot.labels import Labels
from tests.clip.tiny import draw_photos

LABELS = Labels(("dog", "tennis court", "red car"))
PROMPTS = ("a photo of a {}", "{}")


@pytest.fixture(scope="module")
def tiny():
    return showtell.load("tiny")


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("album"), count=3)


@torch.no_grad()
def slowly(captioner, photo, text):
    """The mean of log p(token | photo, tokens before), a token at a time."""
    features = encode(captioner.encoder, [captioner.open(photo)])
    special, said = captioner.tokenizer.special, []
    memory, state = captioner.decoder.eval().start(features)
    before = list(special.begin)
    logits, state, _ = captioner.decoder(memory, state, torch.tensor([[before]]))
    for token in captioner.tokenizer.encode(text):
        log_prob = logits[0, 0, -1].log_softmax(-1)[token].item()
        said.append(log_prob - math.log(len(captioner.tokenizer)) * (token in special.suppress))
        logits, state, _ = captioner.decoder(memory, state, torch.tensor([[[token]]]))
    return sum(said) / len(said)


@pytest.mark.slow
def test_scores_are_those_of_a_slow_loop(tiny, album):
    scorer = ByCaptioner(tiny, "tiny")
    found = classify_photos(scorer, find_photos(album), LABELS, PROMPTS[:1])
    for row, path in enumerate(album):
        wanted = [slowly(tiny, path, f"a photo of a {name}") for name in LABELS.names]
        assert found.scores[row].tolist() == pytest.approx(wanted, abs=2e-4)


@pytest.mark.slow
def test_an_ensemble_is_the_mean_of_its_prompts(tiny, album):
    found = classify_photos(ByCaptioner(tiny, "tiny"), find_photos(album[:1]), LABELS, PROMPTS)
    wanted = [
        sum(slowly(tiny, album[0], prompt.replace("{}", name)) for prompt in PROMPTS) / 2 for name in LABELS.names
    ]
    assert found.scores[0].tolist() == pytest.approx(wanted, abs=2e-4)


@pytest.mark.slow
def test_pieces_of_any_size_give_the_same_scores(tiny, album, monkeypatch):
    ids = [tiny.tokenizer.encode(text) for text in ("a dog", "a photo of a dog", "a red car", "dog", "two dogs run")]
    features = encode(tiny.encoder, [Image.open(path).convert("RGB") for path in album])
    with torch.no_grad():
        whole = text_scores(tiny.decoder, features, ids, tiny.tokenizer.special, len(tiny.tokenizer))
        monkeypatch.setattr(by_captioner, "AT_ONCE", 1)
        single = text_scores(tiny.decoder, features, ids, tiny.tokenizer.special, len(tiny.tokenizer))
    torch.testing.assert_close(whole, single, atol=1e-4, rtol=0)


def test_a_run_whose_encoder_learns_scores_too(cnn_run, album):
    captioner = showtell.load(cnn_run)
    names = ("a red circle", "a blue square")
    found = classify_photos(ByCaptioner(captioner, "run"), find_photos(album[:1]), Labels(names), ("{}",))
    assert found.scores[0].tolist() == pytest.approx([slowly(captioner, album[0], name) for name in names], abs=1e-4)


@pytest.mark.slow
def test_every_view_of_a_photo_counts(tiny, album):
    flipped = Neural(tiny.encoder, tiny.decoder, tiny.tokenizer, tiny.recipe)
    flipped.views = "flip"
    with torch.no_grad():
        found = classify_photos(ByCaptioner(flipped, "tiny"), find_photos(album), LABELS, ("{}",))
    plain = classify_photos(ByCaptioner(tiny, "tiny"), find_photos(album), LABELS, ("{}",))
    assert found.scores.shape == plain.scores.shape and not (found.scores == plain.scores).all()


def test_unknown_words_are_said_and_cannot_win_by_being_rare(tiny, album):
    scorer = ByCaptioner(tiny, "tiny")
    found = classify_photos(scorer, find_photos(album), Labels(("dog", "quokka", "xylograph")), ("a {}",))
    assert "2 of 3 labels" in found.notes[0] and "quokka" in found.notes[0]
    assert "same tokens" in found.notes[1]
    assert (found.order[:, 0] == 0).all()


def test_the_prompt_of_a_tokenizer_does_not_count():
    special = Special(begin=(1, 7), eos=2, pad=0)
    words = by_captioner._words(torch.tensor([2, 1]), len(special.begin), length=4)  # bos 7 w1 w2
    assert words.tolist() == [[False, True, True], [False, True, False]]


def test_a_text_that_is_too_long_is_refused(tiny, album):
    with pytest.raises(InputError, match="shorter prompt"):
        classify_photos(ByCaptioner(tiny, "tiny"), find_photos(album), LABELS, ("a " * 3000 + "{}",))


def test_a_captioner_without_probabilities_is_refused():
    class Mute(showtell.Captioner):
        name = "mute"

        def caption(self, images, **decode):
            return []

        def save_pretrained(self, folder, *, half=False):
            pass

    with pytest.raises(InputError, match="probabilities"):
        ByCaptioner(Mute(), "mute")
