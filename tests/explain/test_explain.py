"""Every captioner is explained by the method that fits it; what it cannot do is one clear line."""

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

import showtell
from showtell.captioners.ensemble import Ensemble
from showtell.explain.attention import attention
from showtell.explain.cells import SIDE, Cells
from showtell.explain.explain import explain, methods_for, parts_of
from showtell.explain.relevance import relevance
from showtell.explain.tokens import Tokens
from showtell.plumbing.errors import InputError
from tests.captioners.huggingface.tiny import folder
from tests.report.small import small_captioner

from .test_attention import PHOTO

POOLED = {"name": "recurrent", "cell": "gru", "conditioning": "init_state", "dim": 12, "embedding_dim": 10}


def every(part):
    return torch.ones(1, len(part.boxes), dtype=torch.bool)


@pytest.mark.slow
def test_relevance_is_the_default_for_attention_and_occlusion_for_the_rest():
    assert explain(small_captioner(), PHOTO).how == "relevance"
    assert explain(small_captioner(decoder=POOLED), PHOTO).how == "occlusion"
    assert explain(small_captioner(), PHOTO, layer=0).how == "attention"
    assert explain(small_captioner(), PHOTO, how="attention", layer=-1, head=0).manner == (
        "attention of the last layer, head 0"
    )


@pytest.mark.parametrize("how", ["relevance", "attention", "occlusion"])
@pytest.mark.parametrize(
    "decode", [{"name": "greedy"}, {"name": "beam", "num_beams": 3}, {"name": "sample", "seed": 1}]
)
def test_words_and_their_log_probs_are_those_of_the_returned_caption(how, decode):
    captioner = small_captioner()
    (caption,) = captioner.caption([PHOTO], max_length=8, min_length=6, **decode)
    found = explain(captioner, PHOTO, how=how, max_length=8, min_length=6, **decode)
    assert found.text == caption.text and " ".join(found.words) == caption.text
    parts = parts_of(captioner, PHOTO, max_length=8, min_length=6, **decode)
    assert parts.ids.tolist() == caption.tokens[: len(parts.ids)]
    ended = caption.tokens[-1] == captioner.tokenizer.special.eos
    assert ended or float(found.log_probs.sum()) == pytest.approx(caption.log_prob, abs=1e-4)
    assert found.maps.shape == (len(found.words), len(found.boxes)) and found.deletion.falls.shape == (
        len(found.words),
    )


@pytest.mark.parametrize("how", ["relevance", "attention"])
def test_maps_of_an_ensemble_are_those_of_its_members_by_what_they_gave_the_word(how):
    one, other = small_captioner(), small_captioner()
    with torch.no_grad():
        for weight in other.decoder.parameters():
            weight.mul_(0.8)
    other.encoder = one.encoder
    ensemble = Ensemble(
        [one, other], one.recipe | {"captioner": {"name": "ensemble", "members": ["a", "b"], "views": "none"}}
    )
    parts = parts_of(ensemble, PHOTO)
    alone = []
    for member in (one, other):
        alone.append(Tokens(member, parts.seen, parts.text, parts.ids.tolist()))
    if how == "attention":
        assert_close(attention(parts), (attention(alone[0]) + attention(alone[1])) / 2)
    else:
        shares = torch.stack([each.log_probs(every(each))[0] for each in alone]).softmax(0)
        maps = [_unscaled(each) for each in alone]
        mixed = maps[0] * shares[0, :, None] + maps[1] * shares[1, :, None]
        assert_close(relevance(parts), mixed / mixed.sum(1, keepdim=True), atol=1e-5, rtol=1e-3)
    mean = torch.stack([each.log_probs(every(each))[0] for each in alone]).exp().mean(0).log()
    assert_close(parts.log_probs(every(parts))[0], mean, atol=1e-4, rtol=1e-4)


def _unscaled(tokens):
    from showtell.explain.relevance import _of_member

    return _of_member(tokens, tokens.members[0])[0]


def test_views_are_explained_on_the_upright_photo_with_the_caption_of_all_views():
    captioner = small_captioner()
    captioner.views = "flip"
    found = explain(captioner, PHOTO)
    assert found.text == captioner.caption([PHOTO])[0].text
    assert_close(found.boxes, explain(small_captioner(), PHOTO).boxes)


def test_a_pooled_vector_is_explained_by_cells_of_pixels():
    captioner = small_captioner(decoder=POOLED)
    parts = parts_of(captioner, PHOTO)
    assert isinstance(parts, Cells) and methods_for(parts) == ["occlusion"] and len(parts.boxes) == SIDE * SIDE
    found = explain(captioner, PHOTO)
    assert found.manner == "occlusion of 7 × 7 cells"
    hidden = PHOTO.copy()  # by hand: the third cell of the second row
    mean = tuple(round(sum(channel.tobytes()) / (50 * 30)) for channel in PHOTO.split())
    hidden.paste(mean, (round(2 * 50 / 7), round(30 / 7), round(3 * 50 / 7), round(60 / 7)))
    (caption,) = captioner.caption([PHOTO])
    falls = []
    for image in (PHOTO, hidden):
        features = showtell.encode(captioner.encoder, [image])
        memory, state = captioner.decoder.start(features)
        logits = captioner.decoder(memory, state, torch.tensor([[caption.tokens[:-1]]])).logits[0, 0].log_softmax(-1)
        falls.append(logits.gather(1, torch.tensor(caption.tokens[1:])[:, None])[:, 0])
    assert_close(found.maps[:, 7 + 2], (falls[0] - falls[1])[: len(found.words)].detach(), atol=1e-4, rtol=1e-3)


def test_a_grid_of_one_cell_is_explained_by_cells_of_pixels():
    captioner = small_captioner(encoder={"name": "cnn", "image_size": 32, "grid_size": 1, "width": 4, "dim": 6})
    assert explain(captioner, PHOTO).how == "occlusion"


def test_an_empty_caption_has_no_maps():
    captioner = small_captioner()
    captioner.decoder.bias.data[captioner.tokenizer.special.eos] = 100.0
    for how in ("relevance", "attention", "occlusion"):
        found = explain(captioner, PHOTO, how=how, min_length=0)
        assert found.words == [] and found.maps.shape == (0, 16)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["blip", "git", "vision-encoder-decoder", "llava"])
def test_foreign_models_are_explained_by_teacher_forcing(kind):
    captioner = showtell.load(folder(kind))
    (caption,) = captioner.caption([PHOTO], max_length=6)
    found = explain(captioner, PHOTO, max_length=6)
    assert found.how == "occlusion" and found.text == caption.text
    assert found.maps.shape == (len(found.words), SIDE * SIDE) and len(found.words) > 0
    parts = parts_of(captioner, PHOTO, max_length=6)
    kept = every(parts)
    kept[0, 24] = False  # the cell in the middle
    said = captioner.log_probs([parts.shown(kept[0])], [caption])[0]
    whole = captioner.log_probs([PHOTO], [caption])[0]
    for number, word in enumerate(parts.words):
        fall = sum(whole[i] - said[i] for i in word.ids)
        assert float(found.maps[number, 24]) == pytest.approx(fall, abs=1e-3)


class Bright(showtell.Captioner):
    """Says `bright`, and finds that likelier the brighter the photo's left half is."""

    name = "bright"

    def caption(self, images, **decode):
        return [showtell.Caption("it is bright") for _ in images]

    def save_pretrained(self, folder, *, half=False):
        raise NotImplementedError

    def log_prob(self, image, caption):
        assert caption.text == "it is bright"
        left = image.convert("L").crop((0, 0, image.width // 2, image.height))
        return sum(left.tobytes()) / 1e5


def test_any_captioner_with_log_prob_is_explained_and_its_caption_is_one_word():
    image = Image.new("RGB", (70, 70), "black")
    image.paste("white", (10, 20, 20, 30))
    found = explain(Bright(), image)
    assert found.words == ["it is bright"] and found.how == "occlusion"
    assert int(found.maps[0].argmax()) == 2 * 7 + 1  # where the white is
    assert float(found.deletion.falls[0]) > float(found.deletion.chance[0])


@pytest.mark.parametrize(
    ("options", "key", "word"),
    [
        ({"how": "gradcam"}, "--how", "relevance, attention, occlusion"),
        ({"how": "relevence"}, "--how", "did you mean relevance"),
        ({"how": "relevance", "layer": 1}, "--layer", "--how attention"),
        ({"how": "occlusion", "head": 0}, "--head", "--how attention"),
        ({"layer": 2}, "--layer", "0 to 1, or -1 for the last: this model has 2 layers"),
        ({"head": -3}, "--head", "this model has 2 heads"),
    ],
)
def test_what_cannot_be_chosen_is_one_line(options, key, word):
    with pytest.raises(InputError) as error:
        explain(small_captioner(), PHOTO, **options)
    assert error.value.key == key and word in str(error.value)


def test_an_explanation_leaves_the_captioner_as_it_was():
    captioner = small_captioner()
    before = captioner.caption([PHOTO])
    for how in ("relevance", "attention", "occlusion"):
        explain(captioner, PHOTO, how=how)
    assert captioner.caption([PHOTO]) == before
    assert all(parameter.grad is None for parameter in captioner.decoder.parameters())


def test_words_that_need_no_photo_do_not_break_relevance():
    """A decoder whose attention has no effect: gradients are 0, and so are the maps."""
    captioner = small_captioner()
    for block in captioner.decoder.blocks:
        block.cross_attention.out.weight.data.zero_()
    found = explain(captioner, PHOTO, how="relevance")
    assert found.maps.isfinite().all() and float(found.maps.abs().sum()) == 0


def test_a_decoder_of_ones_own_without_probe_is_explained_by_occlusion():
    captioner = small_captioner()
    own = captioner.decoder.forward
    captioner.decoder.forward = lambda memory, state, tokens, attention=False: own(memory, state, tokens, attention)
    assert explain(captioner, PHOTO).how == "occlusion"
    assert explain(captioner, PHOTO, how="attention").how == "attention"
    with pytest.raises(InputError, match="takes no probe"):
        explain(captioner, PHOTO, how="relevance")
