"""A prompt that every caption begins with: its ids, its file, and whole trainings with one."""

import inspect
import json
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import showtell
from showtell.cache import encode
from showtell.captioners.views import decoder_of_views
from showtell.explain.explain import explain
from showtell.plumbing.errors import InputError, RecipeError
from showtell.recipe.build import build
from showtell.tokenizers import TOKENIZERS
from showtell.tokenizers.captions import batch, words_of
from tests.language import tiny_language_model
from tests.small import FROZEN, small_recipe, train_small
from tests.tokenizers.test_every_tokenizer import CAPTIONS, SMALL
from tests.training.killed import equal, killed

PROMPT = "a brown dog"
PROMPTED = [name for name, each in TOKENIZERS.items() if "prompt" in inspect.signature(each).parameters]
every_tokenizer = pytest.mark.parametrize("name", PROMPTED)


@cache
def fitted(name, prompt=PROMPT):
    """Not to be changed."""
    return TOKENIZERS[name](**SMALL.get(name, {}), prompt=prompt).fit(CAPTIONS)


def written(tokenizer, folder):
    folder.mkdir(exist_ok=True)
    tokenizer.save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@every_tokenizer
def test_every_caption_begins_with_bos_and_the_prompts_ids(name):
    plain, tokenizer = fitted(name, None), fitted(name)
    assert plain.special.begin == plain.special.begin[:1]
    assert tokenizer.special.begin == (*plain.special.begin, *plain.encode(PROMPT))
    ids = tokenizer.encode("a dog runs")
    captions = batch([[ids, []]], tokenizer.special)
    assert captions.begin == len(tokenizer.special.begin)
    for row, mask, words in zip(captions.tokens[0], captions.mask[0], (ids, []), strict=True):
        assert row[mask].tolist() == [*tokenizer.special.begin, *words, tokenizer.special.eos]
        assert words_of(row[mask].tolist(), tokenizer.special) == words
        assert words_of(row[mask].tolist()[:-1], tokenizer.special) == words  # cut off before eos
    assert tokenizer.decode(ids) == "a dog runs"


@every_tokenizer
def test_the_prompts_trailing_space_is_stripped_and_spaces_alone_are_no_prompt(name):
    assert fitted(name, f"{PROMPT} ").special == fitted(name).special
    assert fitted(name, "  ").special == fitted(name, None).special


@every_tokenizer
def test_a_file_keeps_the_prompt_and_one_without_is_as_before(name, tmp_path):
    plain, tokenizer = fitted(name, None), fitted(name)
    kept, before = written(tokenizer, tmp_path / "kept"), written(plain, tmp_path / "plain")
    assert PROMPT in kept["tokenizer.json"].decode() and not any(b'"prompt":' in content for content in before.values())
    loaded = type(tokenizer).load(tmp_path / "kept")
    assert loaded.special == tokenizer.special and loaded.encode("a dog") == tokenizer.encode("a dog")
    assert written(loaded, tmp_path / "again") == kept
    assert type(plain).load(tmp_path / "plain").special == plain.special
    assert written(plain, tmp_path / "kept") == before  # nothing of the prompt is left


@every_tokenizer
@pytest.mark.parametrize("prompt", [5, ["a"], "a zebra Ж"])
def test_a_files_prompt_that_is_no_text_or_unknown_is_damage(name, prompt, tmp_path):
    written(fitted(name), tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps(content | {"prompt": prompt}))
    if name in ("gpt2", "pretrained") and isinstance(prompt, str):
        assert TOKENIZERS[name].load(tmp_path).prompt == prompt  # they have ids for any text
        return
    with pytest.raises(InputError, match=r"tokenizer.json is damaged: "):
        TOKENIZERS[name].load(tmp_path)


@pytest.mark.parametrize("name", ["words", "sentencepiece"])
def test_words_of_a_prompt_that_have_no_ids_are_named(name):
    with pytest.raises(RecipeError, match=r"(?i)^tokenizer.prompt is .* vocabulary .*'ж', .*'щ'; use words"):
        fitted(name, "a Ж of Щ")


@pytest.mark.slow
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
@settings(max_examples=100, deadline=None)
def test_gpt2_writes_a_caption_behind_a_prompt_as_in_one_text(text):
    plain, prompted = fitted("gpt2", None), fitted("gpt2", "a photo of ")
    assert prompted.decode(prompted.encode(text)) == text
    whole = plain.encode(f"a photo of {text}") if text else plain.encode("a photo of")
    if not text[:1].isspace():
        assert [*prompted.special.begin[1:], *prompted.encode(text)] == whole


OPTIONS = {  # prompts of words that the scenes' captions have, but for GPT-2, which knows all
    "words": ["tokenizer.min_count=1", "tokenizer.prompt=there is"],
    "sentencepiece": ["tokenizer.vocabulary_size=45", "tokenizer.prompt=there is"],
    "gpt2": ["tokenizer.prompt=a photo of"],
    "pretrained": ["tokenizer.prompt=a photo of", f"tokenizer.model={tiny_language_model()}"],
}
FEW = [*FROZEN, "train.epochs=1", "decoder.dropout=0", "train.save_every=2", "decode.max_length=14"]


@pytest.fixture(scope="module", params=PROMPTED)
def run(request, tmp_path_factory):
    """A run of four steps with a prompt; not to be changed."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    train_small(folder, f"tokenizer={request.param}", *OPTIONS[request.param], *FEW, "train.max_steps=4")
    return folder


@pytest.fixture
def photo():
    return build(small_recipe(), "data")[0].path


DECODE = [{"name": "greedy"}, {"name": "beam", "num_beams": 3, "length_penalty": 0.7}, {"name": "sample", "seed": 1}]


@torch.no_grad()
@pytest.mark.parametrize("decode", DECODE, ids=lambda decode: decode["name"])
def test_a_run_with_a_prompt_says_what_follows_it(run, photo, decode):
    captioner = showtell.load(run)
    special = captioner.tokenizer.special
    (caption,) = captioner.caption([photo], max_length=14, **decode)
    assert len(special.begin) > 2 and tuple(caption.tokens[: len(special.begin)]) == special.begin
    assert len(special.begin) < len(caption.tokens) <= 14
    assert caption.text == captioner.tokenizer.decode(words_of(caption.tokens, special))
    assert not caption.text.startswith((captioner.tokenizer.prompt, " "))
    features = encode(captioner.encoder, [captioner.open(photo)])
    tokens = torch.tensor([[caption.tokens[:-1]]])
    memory, state = captioner.decoder.start(features)
    whole = captioner.decoder(memory, state, tokens).logits
    steps = []
    for step in tokens.split(1, dim=-1):
        output = captioner.decoder(memory, state, step)
        steps.append(output.logits)
        state = output.state
    assert_close(torch.cat(steps, dim=2), whole, rtol=1e-4, atol=1e-4)
    said = whole.log_softmax(-1)[0, 0].gather(-1, torch.tensor(caption.tokens[1:])[:, None])[:, 0]
    assert_close(float(said[len(special.begin) - 1 :].sum()), caption.log_prob, rtol=1e-4, atol=1e-4)
    assert decoder_of_views(captioner.decoder, features) is captioner.decoder


def test_explain_has_maps_of_the_captions_words_only(run, photo):
    captioner = showtell.load(run)
    found = explain(captioner, captioner.open(photo), max_length=12)
    (caption,) = captioner.caption([photo], max_length=12)
    words = words_of(caption.tokens, captioner.tokenizer.special)
    assert len(found.words) == len(found.maps) <= len(words)
    assert "".join(found.words) == "".join(captioner.tokenizer.decode(words).split())


@pytest.mark.parametrize("name", ["words", pytest.param("gpt2", marks=pytest.mark.slow)])  # a word for each of 50,257
@pytest.mark.parametrize("loss", ["cross_entropy", pytest.param("self_critical", marks=pytest.mark.slow)])
def test_training_with_a_prompt_goes_on_to_the_same_end(tmp_path, name, loss):
    overrides = [f"tokenizer={name}", *OPTIONS[name], *FEW, "train.max_steps=5", f"loss={loss}"]
    train_small(tmp_path / "whole", *overrides)
    killed(tmp_path / "run", overrides, "Job.step", 4)
    train_small(tmp_path / "run", *overrides, resume=True)
    assert equal(tmp_path / "run", tmp_path / "whole")


def test_lengths_count_the_prompt_before_a_step(tmp_path):
    prompt = ["tokenizer.min_count=1", "tokenizer.prompt=there is", *FEW]
    with pytest.raises(RecipeError, match=r"^decode.max_length is 3, .*prompt already have 3 tokens.* at least 4$"):
        train_small(tmp_path / "run", *prompt, "decode.max_length=3")
    records = [record for record in build(small_recipe(), "data") if record.split != "test"]
    learnt = [text for record in records if record.split == "train" for text in record.references]
    tokenizer = TOKENIZERS["words"](min_count=1, prompt="there is").fit(learnt)
    longest = 3 + max(len(tokenizer.encode(text)) for record in records for text in record.references)
    told = rf"^decoder.max_length is {longest - 1}, .* {longest} tokens with its bos and prompt"
    with pytest.raises(InputError, match=told):
        train_small(tmp_path / "run", *prompt, f"decoder.max_length={longest - 1}", "decode.max_length=10")
    assert not (tmp_path / "run").exists()
