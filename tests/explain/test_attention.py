"""Which part of the image each word looked at: the maps belong to their words, and their boxes to the photo."""

import numpy as np
import pytest
import torch
from PIL import Image

from showtell.cache import encode
from showtell.captioners.neural import Neural
from showtell.encoders.cnn import ConvNet
from showtell.explain.explain import explain
from showtell.features import Features
from showtell.plumbing.errors import InputError
from showtell.tokenizers.captions import words_of
from showtell.tokenizers.phrases import Phrases
from showtell.tokenizers.words import Words
from tests.report.small import CAPTIONS, small_captioner

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8))


def test_every_word_has_a_map_that_sums_to_one():
    found = explain(small_captioner(), PHOTO, how="attention")
    assert found.maps.shape == (len(found.words), 16)
    assert len(found.words) >= 5
    torch.testing.assert_close(found.maps.sum(1), torch.ones(len(found.words)))
    assert (found.maps >= 0).all()


def test_the_text_is_the_caption_and_the_words_are_its_words():
    captioner = small_captioner()
    found = explain(captioner, PHOTO, how="attention")
    assert found.text == captioner.caption([PHOTO])[0].text
    assert " ".join(found.words) == found.text


def test_the_map_of_a_word_is_the_query_that_chose_it():
    captioner = small_captioner()
    found = explain(captioner, PHOTO, how="attention")
    features = encode(captioner.encoder, [PHOTO])
    tokens = captioner.describe(features)[0].tokens
    memory, state = captioner.decoder.start(features)
    for place, token in enumerate(tokens[: len(found.words)]):
        output = captioner.decoder(memory, state, torch.tensor([[[token]]]), attention=True)
        state = output.state
        assert captioner.tokenizer.decode([tokens[place + 1]]) == found.words[place]
        torch.testing.assert_close(found.maps[place], output.attention[0, 0, 0].mean(0).detach())


def test_behind_a_prompt_only_the_captions_words_have_maps():
    captioner = small_captioner()
    captioner.tokenizer = Words(min_count=1, prompt="there is").fit(CAPTIONS)
    captioner.spelling = Phrases(captioner.tokenizer)
    found = explain(captioner, PHOTO, how="attention")
    features = encode(captioner.encoder, [PHOTO])
    tokens = captioner.describe(features)[0].tokens
    assert tuple(tokens[:3]) == captioner.tokenizer.special.begin
    assert found.words == [
        captioner.tokenizer.decode([token]) for token in words_of(tokens, captioner.tokenizer.special)
    ]
    memory, state = captioner.decoder.start(features)
    attention = captioner.decoder(memory, state, torch.tensor([[tokens]]), attention=True).attention[0, 0].mean(1)
    torch.testing.assert_close(found.maps, attention[2 : 2 + len(found.words)].detach())


def test_words_look_at_different_places():
    maps = explain(small_captioner(), PHOTO, how="attention").maps
    assert (maps[0] - maps[3]).abs().sum() > 0.1


def test_decoding_may_be_changed():
    captioner = small_captioner()
    beams = {"name": "beam", "num_beams": 3, "max_length": 6, "min_length": 5}
    found = explain(captioner, PHOTO, how="attention", **beams)
    assert found.text == captioner.caption([PHOTO], **beams)[0].text
    assert len(found.maps) == len(found.words)


def test_a_caption_that_was_cut_off_keeps_its_last_word():
    captioner = small_captioner()
    captioner.decoder.bias.data[captioner.tokenizer.special.eos] = -100.0  # it never stops by itself
    found = explain(captioner, PHOTO, max_length=5, min_length=0)
    assert len(found.words) == 4
    assert len(found.maps) == 4


def test_a_prefix_that_shares_its_attention_with_the_words_still_sums_to_one():
    decoder = {"name": "transformer", "conditioning": "prefix", "dim": 8, "layers": 2, "heads": 2, "mlp_dim": 12}
    found = explain(small_captioner(decoder=decoder), PHOTO, how="attention")
    torch.testing.assert_close(found.maps.sum(1), torch.ones(len(found.words)))


def test_boxes_lie_where_a_centre_crop_lies():
    encoder = {"name": "cnn", "image_size": 32, "grid_size": 4, "width": 4, "dim": 6, "resize": "crop"}
    boxes = explain(small_captioner(encoder=encoder), PHOTO).boxes
    torch.testing.assert_close(boxes[0], torch.tensor([0.2, 0.0, 0.35, 0.25]))
    torch.testing.assert_close(boxes[-1], torch.tensor([0.65, 0.75, 0.8, 1.0]))


class Half(ConvNet):
    """The second half of its cells is no part of the image."""

    def pool(self, features: Features) -> Features:
        mask = features.mask.clone()
        mask[:, 8:] = False
        return features._replace(mask=mask)


def test_padding_among_the_visual_tokens_is_left_out():
    whole = small_captioner()
    half = Half(image_size=32, grid_size=4, width=4, dim=6).eval()
    half.load_state_dict(whole.encoder.state_dict())
    found = explain(Neural(half, whole.decoder, whole.tokenizer, whole.recipe), PHOTO)
    assert found.maps.shape[1] == 8
    assert found.boxes[:, 3].max() == 0.5


def test_a_recurrent_decoder_has_nothing_to_look_at():
    captioner = small_captioner(decoder={"name": "recurrent", "cell": "gru", "conditioning": "init_state"})
    with pytest.raises(InputError) as error:
        explain(captioner, PHOTO, how="attention")
    assert "decoder is 'recurrent' (conditioning init_state): it reads the image without attention" in str(error.value)
    assert "--how occlusion" in error.value.advice


def test_a_transformer_that_sees_one_vector_has_nothing_to_look_at():
    decoder = {"name": "transformer", "conditioning": "prefix", "sees": "pooled", "dim": 8, "heads": 2}
    with pytest.raises(InputError, match=r"'transformer' \(conditioning prefix, sees pooled\): it reads the image"):
        explain(small_captioner(decoder=decoder), PHOTO, how="attention")
