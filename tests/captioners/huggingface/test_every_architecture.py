"""Models of others, built tiny from their configs, saved, and loaded by name: captioned as their own code does it."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import showtell
from showtell.captioners.caption import Caption
from showtell.captioners.huggingface.inputs import ASK, prepare, shape_of
from showtell.captioners.huggingface.network import load_network
from tests.captioners.huggingface.tiny import MADE, folder

SHAPES = {
    **dict.fromkeys(("blip", "git", "vision-encoder-decoder", "blip-2"), "none"),
    **dict.fromkeys(("paligemma", "florence2"), "text"),
    **dict.fromkeys(("llava", "idefics3", "smolvlm", "qwen2_vl"), "chat"),
}


@pytest.fixture(scope="module")
def photos():
    """Five photos of other shapes, so that those of one batch are padded."""
    stream = np.random.RandomState(3)
    sizes = [(60, 40), (40, 90), (33, 33), (120, 35), (64, 48)]
    blocks = [stream.randint(0, 256, (4, 5, 3)).astype(np.uint8) for _ in sizes]
    return [
        Image.fromarray(each).resize(size, Image.Resampling.NEAREST) for each, size in zip(blocks, sizes, strict=True)
    ]


@pytest.fixture(scope="module", params=MADE)
def captioner(request):
    return showtell.load(folder(request.param))


def own_ids(captioner, photo, **settings):
    """Ids and log-probability of one photo by transformers alone, as its documentation shows it."""
    loaded, network = captioner.loaded, captioner.loaded.network
    shape, kind = SHAPES[loaded.kind], loaded.kind
    if kind == "vision-encoder-decoder":
        inputs = loaded.images(images=photo, return_tensors="pt")
    elif shape == "none":
        inputs = loaded.processor(images=photo, return_tensors="pt")
    elif shape == "text":
        text = {"paligemma": "<image>caption en", "florence2": "<CAPTION>"}[kind]
        inputs = loaded.processor(images=photo, text=text, return_tensors="pt")
    else:
        content = [{"type": "image", "image": photo}, {"type": "text", "text": ASK}]
        inputs = loaded.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
    made = network.generate(
        **inputs, **settings, do_sample=False, return_dict_in_generate=True, output_scores=True, output_logits=True
    )
    speaker = {"blip": "text_decoder", "blip-2": "language_model"}.get(kind)
    speaker = getattr(network, speaker) if speaker else network
    logits = tuple(step.log_softmax(-1) for step in made.logits)
    scores = speaker.compute_transition_scores(made.sequences, logits, getattr(made, "beam_indices", None))
    return made.sequences[0, made.sequences.shape[1] - scores.shape[1] :].tolist(), scores[0]


def test_each_has_its_shape_of_input(captioner):
    assert shape_of(captioner.loaded, None) == SHAPES[captioner.loaded.kind]


@pytest.mark.parametrize(
    ("decode", "settings"),
    [
        ({"name": "greedy"}, {"num_beams": 1}),
        ({"name": "beam", "num_beams": 3}, {"num_beams": 3, "length_penalty": 0.0, "early_stopping": False}),
    ],
    ids=["greedy", "three beams"],
)
def test_it_says_what_transformers_says(captioner, photos, decode, settings):
    said = captioner.caption(photos, **decode, max_length=16)
    for photo, caption in zip(photos, said, strict=True):
        ids, log_probs = own_ids(captioner, photo, max_new_tokens=15, **settings)
        assert caption.tokens == ids
        assert caption.log_prob == pytest.approx(float(log_probs.sum()), abs=1e-4)
    assert len({caption.log_prob for caption in said}) == len(photos)  # they are seen


def test_neither_the_batch_nor_the_place_in_it_matters(captioner, photos):
    said = captioner.caption(photos, max_length=8)
    backwards = captioner.caption(photos[::-1], max_length=8)[::-1]
    alone = [captioner.caption([photo], max_length=8)[0] for photo in photos]
    for others in (backwards, alone):
        assert [caption.tokens for caption in others] == [caption.tokens for caption in said]
        assert [c.log_prob for c in others] == pytest.approx([c.log_prob for c in said], abs=1e-4)


def test_a_caption_is_as_likely_as_when_it_was_said(captioner, photos):
    """Teacher forcing, word by word, of captions of other lengths in one batch."""
    for decode in ({"name": "greedy"}, {"name": "beam", "num_beams": 3, "min_length": 4}):
        said = captioner.caption(photos, **decode, max_length=9)
        again = [sum(log_probs) for log_probs in captioner.log_probs(photos, said)]
        assert again == pytest.approx([caption.log_prob for caption in said], abs=1e-4)


def test_any_text_has_a_log_probability_in_any_batch(captioner, photos):
    texts = ["a dog", "two cats sit on a chair", "a red ball", "", "a child"]
    together = captioner.log_probs(photos, texts)
    assert all(log_prob < 0 for row in together for log_prob in row)
    for photo, text, row in zip(photos, texts, together, strict=True):
        assert captioner.log_prob(photo, text) == pytest.approx(sum(row), abs=1e-4)


def test_lengths_count_as_everywhere(captioner, photos):
    for caption in captioner.caption(photos, name="greedy", max_length=6, min_length=5):
        assert len(caption.tokens) == 5  # bos, which a foreign model does not return, is counted too


@pytest.mark.parametrize("name", ["blip", "llava", "vision-encoder-decoder"])
def test_teacher_forcing_is_one_pass_over_the_caption(name, photos):
    """The same number from one forward pass that reads prompt and caption at once."""
    captioner = showtell.load(folder(name))
    network, tokenizer = captioner.loaded.network, captioner.loaded.tokenizer
    ids = [*tokenizer("a dog runs", add_special_tokens=False)["input_ids"]]
    end = {"blip": tokenizer.sep_token_id}.get(name, tokenizer.eos_token_id)
    inputs = prepare(captioner.loaded, photos[:1], None)
    words = torch.tensor([[*ids, end]])
    if name == "llava":
        begin = inputs.pop("input_ids")
        inputs.pop("attention_mask")
        inputs["input_ids"] = torch.cat([begin, words], dim=1)
    elif name == "blip":
        begin = torch.tensor([[network.config.text_config.bos_token_id]])
        inputs["input_ids"] = torch.cat([begin, words], dim=1)
    else:
        begin = torch.tensor([[network.config.decoder_start_token_id]])
        inputs["decoder_input_ids"] = torch.cat([begin, words], dim=1)
    with torch.no_grad():
        logits = network(**inputs).logits[:, begin.shape[1] - 1 : -1]
    wanted = logits.log_softmax(-1).gather(2, words[..., None]).sum()
    assert captioner.log_prob(photos[0], "a dog runs") == pytest.approx(float(wanted), abs=1e-4)


def test_a_text_begins_with_the_id_that_the_model_is_forced_to_say_first(photos):
    """As Florence-2 has it: what the model says, given as text, is as likely as when it was said."""
    captioner = showtell.load(folder("florence2"))
    network, tokenizer = captioner.loaded.network, captioner.loaded.tokenizer
    plain = captioner.log_probs(photos[:1], ["a dog"])[0]
    network.generation_config.forced_bos_token_id = tokenizer.bos_token_id
    said = captioner.caption(photos, name="greedy", max_length=6)
    assert {caption.tokens[0] for caption in said} == {tokenizer.bos_token_id}
    ids = [tokenizer.bos_token_id, *tokenizer("a dog", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    (log_probs,) = captioner.log_probs(photos[:1], ["a dog"])
    assert len(log_probs) == len(ids) == len(plain) + 1
    assert captioner.log_prob(photos[0], Caption("a dog", ids)) == pytest.approx(sum(log_probs), abs=1e-4)
    with torch.no_grad():
        begin = torch.tensor([[network.config.text_config.decoder_start_token_id, *ids[:-1]]])
        logits = network(**prepare(captioner.loaded, photos[:1], None), decoder_input_ids=begin).logits
    wanted = logits.log_softmax(-1).gather(2, torch.tensor([ids])[..., None])
    assert log_probs == pytest.approx(wanted.flatten().tolist(), abs=1e-4)


@pytest.mark.parametrize("name", ["llava", "paligemma", "qwen2_vl"])
def test_words_are_appended_at_the_right_so_padding_is_left(name):
    assert load_network(folder(name), None, "fp32").tokenizer.padding_side == "left"


@pytest.mark.parametrize("name", ["blip", "git", "llava", "idefics3"])
def test_a_folder_in_the_older_layout_says_the_same(name, photos, tmp_path):
    """As most models of the Hub were uploaded: preprocessor_config.json, and a template in JSON."""
    old = shutil.copytree(folder(name), tmp_path / "old")
    joined = json.loads((old / "processor_config.json").read_text())
    images = joined.pop("image_processor") | {"processor_class": joined["processor_class"]}
    (old / "preprocessor_config.json").write_text(json.dumps(images))
    (old / "processor_config.json").write_text(json.dumps(joined))
    if name in ("blip", "git"):
        (old / "processor_config.json").unlink()
    else:
        template = (old / "chat_template.jinja").read_text()
        (old / "chat_template.json").write_text(json.dumps({"chat_template": template}))
        (old / "chat_template.jinja").unlink()
    found = showtell.load(old).caption(photos, max_length=8)
    assert [c.tokens for c in found] == [c.tokens for c in showtell.load(folder(name)).caption(photos, max_length=8)]
