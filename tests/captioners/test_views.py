"""Several views of a photo: each word by the mean of what the captioner would say of each view."""

import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import save_file

from showtell.cache import encode, open_source
from showtell.captioners.views import decoder_of_views, encoder_of_views
from showtell.data.scenes.scenes import scenes
from showtell.encoders.turned import VIEWS
from showtell.explain.explain import explain
from showtell.loading import load, steer
from showtell.plumbing.errors import RecipeError
from showtell.regions import REGIONS
from showtell.scoring.evaluate import evaluate_run
from showtell.training.together import make_ensemble
from tests.small import FROZEN, RECIPE

from .test_every_captioner import talkative

SETTINGS = {name: value for name, value in RECIPE["data"].items() if name != "name"}


@pytest.fixture(scope="module")
def pictures():
    return [Image.open(record.path).convert("RGB") for record in scenes(**SETTINGS) if record.split == "test"]


def seeing(captioner, views):
    steer(captioner, [f"captioner.views={views}"])
    return captioner


def eyes(captioner):
    return encoder_of_views(captioner.encoder, captioner.views)


def probabilities(captioner, features, tokens):
    decoder = decoder_of_views(captioner.decoder.eval(), features)
    memory, state = decoder.start(features)
    with torch.no_grad():
        return decoder(memory, decoder.widen(state, tokens.shape[1]), tokens).logits.softmax(-1)


@pytest.fixture(scope="module", params=["one", "ensemble"])
def captioner(request, tmp_path_factory):
    """A captioner, or two together whose encoders differ."""
    folder = tmp_path_factory.mktemp("runs")
    talkative(*FROZEN).save_pretrained(folder / "a")
    if request.param == "one":
        return load(folder / "a")
    talkative(*FROZEN[:1], "encoder.image_size=96", "decoder=recurrent", "decoder.dim=16").save_pretrained(folder / "b")
    make_ensemble([folder / "a", folder / "b"], folder / "both")
    return load(folder / "both")


@pytest.mark.slow
@pytest.mark.parametrize("views", VIEWS)
def test_probabilities_are_the_mean_over_the_views(captioner, pictures, views):
    tokens = torch.randint(4, len(captioner.tokenizer), (len(pictures), 2, 5))
    tokens[..., 0] = captioner.tokenizer.special.begin[0]
    every = [pictures, *([view.of(picture) for picture in pictures] for view in VIEWS[views])]
    mean = sum(probabilities(captioner, encode(captioner.encoder, one), tokens) for one in every) / len(every)
    found = probabilities(captioner, encode(eyes(seeing(captioner, views)), pictures), tokens)
    torch.testing.assert_close(found, mean, atol=1e-6, rtol=1e-5)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Filled by the first who reads from it."""
    return tmp_path_factory.mktemp("cache")


WAYS = [
    {"name": "greedy"},
    {"name": "beam"},
    {"name": "sample", "seed": 1},
    {"name": "diverse_beam"},
    {"name": "contrastive"},
]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way["name"])
def test_captions_from_the_cache_are_those_of_live_photos_and_not_those_of_one_view(captioner, pictures, way, cache):
    records = [record for record in scenes(**SETTINGS) if record.split == "test"]
    source = open_source(records, eyes(seeing(captioner, "crops")), folder=cache, console=Console(quiet=True))
    cached = captioner.describe(source(range(len(records))), **way)
    live = captioner.caption(pictures, **way)
    assert [caption.text for caption in cached] == [caption.text for caption in live]
    assert [caption.log_prob for caption in live] != [
        caption.log_prob for caption in seeing(captioner, "none").caption(pictures, **way)
    ]


def test_words_are_explained_on_the_upright_photo(captioner, pictures):
    views = explain(seeing(captioner, "flip"), pictures[0])
    assert len(views.maps) == len(views.words) > 0
    assert views.boxes.shape == (views.maps.shape[1], 4)
    torch.testing.assert_close(views.maps.sum(1), torch.ones(len(views.words)))


@pytest.mark.slow
def test_a_run_is_evaluated_with_views_and_its_signature_says_so(frozen_run, tmp_path):
    scores = evaluate_run(frozen_run, "val", ["captioner.views=flip"], out=tmp_path / "flip")
    assert "|mean over views (flip): beam(num_beams=2," in scores["CIDEr-D"].signature
    plain = evaluate_run(frozen_run, "val", out=tmp_path / "plain")
    assert "views" not in plain["CIDEr-D"].signature
    with pytest.raises(RecipeError, match=r"^captioner.views is 'flap'; 'neural' takes none, "):
        evaluate_run(frozen_run, "val", ["captioner.views=flap"])
    with pytest.raises(RecipeError, match=r"^captioner.name=nearest cannot be changed here; evaluate changes only "):
        evaluate_run(frozen_run, "val", ["captioner.name=nearest"])


@pytest.mark.slow
def test_an_ensemble_looks_at_the_views_of_its_first_member(tmp_path):
    for name, views in (("a", "flip"), ("b", "none")):
        seeing(talkative(*FROZEN), views).save_pretrained(tmp_path / name)
    make_ensemble([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    assert load(tmp_path / "both").recipe["captioner"]["views"] == "flip"
    assert "views" in load(tmp_path / "both").manner


def test_features_of_upright_photos_alone_are_refused(tmp_path):
    save_file({"a.png": torch.ones(3, 4)}, tmp_path / "features.safetensors")
    given = REGIONS["precomputed"](file=str(tmp_path / "features.safetensors"))
    with pytest.raises(RecipeError, match=r"^captioner.views is 'flip'; it takes none .*; set captioner.views=none$"):
        encoder_of_views(given, "flip")
    assert encoder_of_views(given, "none") is given
