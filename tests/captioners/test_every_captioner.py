"""Saved and loaded captioners say the same, whatever their parts; photos and cached features give the same captions."""

import re
from functools import partial

import pytest
import torch
from PIL import Image

import showtell
from showtell import checkpoint
from showtell.cache import open_source
from showtell.captioners import CAPTIONERS
from showtell.captioners.ensemble import Ensemble
from showtell.captioners.nearest import Nearest
from showtell.data.scenes.scenes import scenes
from showtell.loading import load, packaged_models
from showtell.plumbing.errors import InputError, RecipeError
from showtell.predict.captions import describe_all
from showtell.recipe.build import build, build_neural
from showtell.recipe.check import check
from showtell.settings.text import override
from tests.captioners.huggingface.tiny import folder as foreign
from tests.small import FROZEN, RECIPE, small_recipe

TEXTS = ["a red star is left of a blue heart", "there is a green circle above the large star", "two things"]
RANDOM = ["encoder=timm", "encoder.weights=random", "encoder.image_size=32"]
PARTS = {  # what a captioner is made of -> the overrides that choose it
    "cnn and transformer": [],
    "lite and transformer, image as prefix": [*FROZEN, "decoder.conditioning=prefix"],
    "lite and rnn, greedy": [*FROZEN, "decoder=recurrent", "decoder.cell=rnn", "decoder.dim=16", "decode=greedy"],
    "cnn and lstm, image at every step": ["decoder=recurrent", "decoder.conditioning=every_step", "decoder.dim=16"],
    "timm drawn at random": [
        "encoder=timm",
        "encoder.model=test_vit",
        "encoder.weights=random",
        "encoder.image_size=32",
    ],
    "timm that trains": [
        *("encoder=timm", "encoder.model=test_resnet", "encoder.weights=random", "encoder.image_size=32"),
        "encoder.trainable=1",
    ],
}


def talkative(*overrides):
    """Untrained, with weights so wide that it says something of its own of every photo."""
    torch.manual_seed(5)
    recipe = small_recipe("decode.min_length=4", *overrides)
    captioner = build_neural(recipe, build(recipe, "encoder"), build(recipe, "tokenizer").fit(TEXTS))
    with torch.no_grad():
        for weight in captioner.decoder.parameters():
            if weight.ndim > 1:
                weight.normal_(std=0.6)
    captioner.encoder.eval()
    captioner.decoder.eval()
    return captioner


@pytest.fixture(scope="module")
def records():
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    return [record for record in scenes(**settings) if record.split == "test"]


@pytest.fixture(scope="module")
def photos(records):
    return [record.path for record in records]


def similar(*overrides):
    """The training scenes remembered, so that a test scene gets a caption of one like it."""
    torch.manual_seed(5)
    data = {"data": RECIPE["data"], "encoder": {"name": "lite", "image_size": 64}}
    recipe = check(override(data | {"captioner": {"name": "nearest"}}, overrides))
    captioner = Nearest(build(recipe, "encoder"), build(recipe, "captioner"), recipe)
    training = [record for record in build(recipe, "data") if record.split == "train"]
    return captioner.fit(open_source(training, captioner.encoder))


def together(*others):
    """Two talkative captioners that see through the same encoder, or through two, as one."""
    members = [talkative(*FROZEN, "train.seed=1"), talkative(*FROZEN, *others)]
    with torch.no_grad():
        for weight in members[1].decoder.parameters():
            weight.mul_(0.9)
    paths = [f"members/{number}" for number in (1, 2)]
    recipe = {"data": RECIPE["data"], "captioner": {"name": "ensemble", "members": paths}}
    return Ensemble(members, check(recipe | {"decode": members[0].recipe["decode"]}))


MADE = {f"neural: {name}": partial(talkative, *overrides) for name, overrides in PARTS.items()}
READING = [*MADE, "nearest: k chosen", "nearest: timm drawn at random"]  # who read features, which are cached
READING += ["ensemble: one encoder", "ensemble: two encoders"]
MADE |= {
    "nearest: k chosen": similar,
    "nearest: timm drawn at random": partial(similar, *PARTS["timm drawn at random"], "captioner.k=2"),
    "ensemble: one encoder": together,
    "huggingface: git": lambda: load(foreign("git")),
    "ensemble: two encoders": partial(together, "encoder.image_size=96", "decoder=recurrent", "decoder.dim=16"),
}


def sure(captions):
    return [caption.log_prob or 0.0 for caption in captions]


@pytest.mark.slow
def test_every_captioner_of_the_table_is_made_here():
    assert {type(make()) for make in MADE.values()} == set(CAPTIONERS.values())
    assert all(captioner.name == name for name, captioner in CAPTIONERS.items())


@pytest.mark.parametrize("made", list(MADE))
def test_saved_and_loaded_it_says_the_same(tmp_path, photos, made):
    captioner = MADE[made]()
    said = captioner.caption(photos)
    captioner.save_pretrained(tmp_path / "saved")
    loaded = load(tmp_path / "saved")
    assert type(loaded) is type(captioner)
    assert loaded.caption(photos) == said
    assert loaded.recipe == captioner.recipe
    assert loaded.manner == captioner.manner
    assert len({(c.text, c.log_prob) for c in said}) > len(photos) / 2  # photos are seen


@pytest.mark.parametrize("made", READING)
def test_a_photo_gives_the_caption_that_its_cached_features_give(records, photos, made):
    captioner = MADE[made]()
    live = captioner.caption(photos)
    cached = describe_all(captioner, open_source(records, captioner.encoder), batch_size=4)
    assert list(cached) == [record.image_id for record in records]
    assert [c.text for c in cached.values()] == [c.text for c in live]
    assert sure(cached.values()) == pytest.approx(sure(live), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("made", list(MADE))
def test_a_caption_depends_neither_on_the_batch_nor_on_its_place_there(photos, made):
    captioner = MADE[made]()
    said = captioner.caption(photos)
    backwards = captioner.caption(photos[::-1])[::-1]
    alone = [captioner.caption([photo])[0] for photo in photos]
    for others in (backwards, alone):
        assert [c.text for c in others] == [c.text for c in said]
        assert sure(others) == pytest.approx(sure(said), abs=1e-3)


@pytest.mark.parametrize("made", list(MADE))
def test_a_decoding_that_no_captioner_knows_is_refused(photos, made):
    with pytest.raises(RecipeError, match=r"^decode\.num_beam "):
        MADE[made]().caption(photos[:1], num_beam=3)


def test_a_caption_has_its_ids_from_bos_to_eos(photos):
    captioner = talkative(*FROZEN)
    special = captioner.tokenizer.special
    for caption in captioner.caption(photos):
        assert caption.tokens[0] == special.begin[0]
        inner = caption.tokens[1:-1] if caption.tokens[-1] == special.eos else caption.tokens[1:]
        assert special.eos not in inner and caption.text == captioner.tokenizer.decode(inner)
        assert caption.log_prob < 0


@pytest.mark.slow
def test_decoding_may_be_changed_for_one_call(photos):
    captioner = talkative(*FROZEN)
    usual, wider = captioner.caption(photos), captioner.caption(photos, num_beams=6)
    assert all(w.log_prob >= u.log_prob - 1e-4 for w, u in zip(wider, usual, strict=True)) and wider != usual
    samples = [captioner.caption(photos, name="sample", seed=seed, max_length=7) for seed in (1, 2, 1)]
    assert samples[0] == samples[2] != samples[1]
    assert max(len(caption.tokens) for caption in samples[0]) <= 7
    assert captioner.caption(photos) == usual
    assert captioner.caption([]) == []


def test_a_decoder_in_bf16_captions_features_of_fp32(photos):
    captioner = talkative(*FROZEN)
    usual = captioner.caption(photos)
    captioner.decoder.bfloat16()
    assert sure(captioner.caption(photos)) == pytest.approx(sure(usual), rel=0.1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_beam": 3}, "decode.num_beam is not an option of 'beam'; it takes num_beams, "),
        ({"num_beams": 0}, "decode.num_beams is 0; it takes a whole number of at least 1"),
        ({"name": "beams"}, "decode.name is 'beams'; it takes greedy, beam, diverse_beam, contrastive, sample"),
        ({"name": "greedy", "num_beams": 2}, "decode.num_beams is not an option of 'greedy'; it takes max_length, "),
    ],
)
def test_a_decoding_that_does_not_exist_is_refused(photos, changes, told):
    with pytest.raises(RecipeError, match=f"^{re.escape(told)}"):
        talkative(*FROZEN).caption(photos[:1], **changes)


@pytest.mark.slow
def test_pictures_of_pillow_are_captioned_like_files(tmp_path, photos):
    """Also grey ones, see-through ones and those that a camera was turned for."""
    captioner = talkative(*FROZEN)
    picture = Image.open(photos[0]).convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=turned)
    picture.convert("L").save(tmp_path / "grey.png")
    picture.convert("RGBA").save(tmp_path / "clear.png")
    paths = [tmp_path / name for name in ("turned.png", "grey.png", "clear.png")]
    by_path = captioner.caption(paths)
    assert captioner.caption([Image.open(path) for path in paths]) == by_path
    assert captioner.caption([captioner.open(path) for path in paths]) == by_path
    upright = picture.transpose(Image.Transpose.ROTATE_270)
    assert captioner.caption([upright]) == captioner.caption(paths[:1]) != captioner.caption([picture])


def test_one_photo_is_no_list_of_photos(photos):
    for photo in (photos[0], str(photos[0]), Image.open(photos[0])):
        with pytest.raises(InputError, match=r"^caption takes a list of photos"):
            talkative(*FROZEN).caption(photo)


def test_a_photo_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match=r"^a.jpg: damaged"):
        talkative(*FROZEN).caption([tmp_path / "a.jpg"])


@pytest.mark.slow
def test_a_run_folder_is_a_captioner(frozen_run, cnn_run, records, photos, tmp_path):
    for run in (frozen_run, cnn_run):
        captioner = showtell.load(run)
        cached = describe_all(captioner, open_source(records, captioner.encoder))
        said = captioner.caption(photos)
        assert [c.log_prob for c in cached.values()] == pytest.approx([c.log_prob for c in said], abs=1e-4)
        assert said == load(str(run)).caption(photos)
        captioner.save_pretrained(tmp_path / run.parent.name)
        assert load(tmp_path / run.parent.name).caption(photos) == said


def test_a_saved_captioner_is_four_files(tmp_path):
    talkative(*FROZEN).save_pretrained(tmp_path / "deep" / "saved")
    files = sorted(path.name for path in (tmp_path / "deep" / "saved").iterdir())
    assert files == ["README.md", "model.safetensors", "recipe.yaml", "tokenizer.json"]
    card = (tmp_path / "deep" / "saved" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: showtell\n") and "`lite` encoder, `transformer` decoder" in card


def test_a_card_that_somebody_wrote_stays(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    talkative(*FROZEN).save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_weights_of_another_recipe_are_refused(tmp_path):
    talkative(*FROZEN).save_pretrained(tmp_path)
    recipe = checkpoint.read_recipe(tmp_path)
    checkpoint.write_recipe(tmp_path, recipe | {"decoder": recipe["decoder"] | {"layers": 2}})
    told = f"{tmp_path}/model.safetensors does not fit its recipe: decoder.blocks.1."
    with pytest.raises(InputError, match=f"^{re.escape(told)}"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "key", "word"),
    [
        ("nobody/nothing", "hf:nobody/nothing", "out of reach"),
        ("tiny-2", "tiny-2", "did you mean tiny?"),
        ("runs/deep/run", "runs/deep/run", "is no folder"),
        ("../no-such-run", "../no-such-run", "is no folder"),
    ],
)
def test_an_unknown_name_is_told_at_once_without_a_network(name, key, word):
    with pytest.raises(InputError, match=re.escape(word)) as error:
        load(name)
    assert error.value.key == key


def test_pushing_without_a_network_says_what_can_be_done():
    with pytest.raises(InputError, match=r"^the Hugging Face Hub is out of reach; save_pretrained\(FOLDER\)"):
        talkative(*FROZEN).push_to_hub("somebody/captioner")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(packaged_models()))
def test_every_packaged_model_captions(name, photos):
    captions = load(name).caption(photos[:1])
    assert captions[0].text
    assert (packaged_models()[name] / "about.txt").read_text().strip()


def test_the_library_has_the_version_of_the_package():
    from importlib.metadata import version

    assert showtell.__version__ == version("showtell")


@pytest.mark.parametrize("name", showtell.__all__)
def test_what_the_library_offers_is_there(name):
    assert getattr(showtell, name) is not None


def test_what_it_does_not_offer_is_no_attribute():
    with pytest.raises(AttributeError, match=r"^module 'showtell' has no attribute 'captions'$"):
        showtell.captions  # noqa: B018
