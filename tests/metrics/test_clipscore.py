"""CLIPScore and RefCLIPScore on a tiny CLIP of random weights; figures of torchmetrics are pinned."""

import numpy as np
import pytest
import torch

from showtell.clip import Clip
from showtell.metrics import METRICS
from showtell.metrics.clipscore import make_ready
from showtell.metrics.score import score
from showtell.plumbing.errors import InputError
from tests.clip.conftest import folder, libraries, photos  # noqa: F401 - fixtures

SAID = {
    "a": "a dog runs along the beach",
    "b": "two red cars in the rain",
    "c": "a man cooks in a kitchen",
    "d": "",
    "e": "snow on every roof of the town",
    "f": "An airplane is parked at the gate!",
}
KNOWN = {
    "a": ["A dog on the beach.", "dogs run", "the sea"],
    "b": ["Red cars stand in the rain"],
    "c": ["a kitchen", "A man is cooking (dinner)."],
    "d": ["a boat", ""],
    "e": ["snow on every roof of the town"],
    "f": ["The airplane"],
}


@pytest.fixture
def seen(photos):  # noqa: F811
    """Of the six photos the fourth, which random weights like, and others."""
    return {image_id: photos[number] for image_id, number in zip(SAID, [3, 3, 3, 3, 0, 5], strict=True)}


@pytest.fixture
def clips(folder):  # noqa: F811
    return {name: Clip(str(folder), name, device="cpu") for name in ("paper", "taipei", "torchmetrics")}


def values(clip, photos, name="CLIPScore", said=SAID):  # noqa: F811
    return np.array(list(score(said, KNOWN, [name], photos=photos, clip=clip, resamples=0)[name].per_image.values()))


def cosines(clip, photos, prefix=""):  # noqa: F811
    images = clip.embed_photos(list(photos.values()))
    return (images * clip.embed_texts([prefix + text for text in SAID.values()])).sum(-1).double().numpy()


@pytest.mark.slow
def test_the_papers_score_is_two_and_a_half_cosines_of_a_photo_that_depicts(clips, seen):
    cosine = cosines(clips["paper"], seen, "A photo depicts ")
    assert (cosine > 0).any() and (cosine < 0).any()
    assert values(clips["paper"], seen) == pytest.approx(2.5 * np.maximum(cosine, 0), abs=1e-6)
    assert not np.allclose(values(clips["paper"], seen), values(clips["taipei"], seen), atol=1e-3)


@pytest.mark.slow
def test_taipeis_score_has_no_prefix_and_torchmetrics_another_scale(clips, seen):
    cosine = cosines(clips["taipei"], seen)
    assert values(clips["taipei"], seen) == pytest.approx(2.5 * np.maximum(cosine, 0), abs=1e-6)
    assert values(clips["torchmetrics"], seen) == pytest.approx(40 * values(clips["taipei"], seen), abs=1e-5)


@pytest.mark.slow
def test_torchmetrics_lets_a_negative_cosine_count_in_the_mean(clips, seen):
    cosine, made = cosines(clips["taipei"], seen), {}
    for name, clip in clips.items():
        made[name] = score(SAID, KNOWN, "CLIPScore", photos=seen, clip=clip, resamples=9)["CLIPScore"]
    assert made["torchmetrics"].value == pytest.approx(max(100 * cosine.mean(), 0), abs=1e-5)
    assert made["taipei"].value == pytest.approx(2.5 * np.maximum(cosine, 0).mean(), abs=1e-6)
    worst = score({"e": SAID["e"]}, {"e": KNOWN["e"]}, "CLIPScore", photos=seen, clip=clips["torchmetrics"])
    assert cosine[4] < 0 and worst["CLIPScore"].value == 0


@pytest.mark.slow
def test_the_score_is_torchmetrics_own(clips, photos):  # noqa: F811
    """By torchmetrics 1.9.0 on transformers 5.23.0: the same weights and captions, one photo for all, then its own."""
    clip, one = clips["torchmetrics"], dict.fromkeys(SAID, photos[3])
    assert values(clip, one) == pytest.approx([29.6794, 0, 18.2834, 8.1854, 0, 0], abs=1e-3)
    whole = score(SAID, KNOWN, "CLIPScore", photos=one, clip=clip, resamples=0)["CLIPScore"]
    assert whole.value == pytest.approx(5.58497, abs=1e-3)
    own = dict(zip(SAID, photos, strict=True))
    assert score(SAID, KNOWN, "CLIPScore", photos=own, clip=clip, resamples=0)["CLIPScore"].value == 0


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "prefix"), [("paper", "A photo depicts "), ("taipei", "")])
def test_ref_clipscore_is_the_harmonic_mean_with_the_nearest_reference(clips, seen, protocol, prefix):
    clip = clips[protocol]
    fits = 2.5 * np.maximum(cosines(clip, seen, prefix), 0)
    wanted = []
    for image_id, fit in zip(SAID, fits, strict=True):
        (caption,) = clip.embed_texts([prefix + SAID[image_id]])
        agree = max(max(float(torch.dot(caption, clip.embed_texts([prefix + text])[0])), 0) for text in KNOWN[image_id])
        wanted.append(2 * fit * agree / (fit + agree) if fit + agree else 0.0)
    assert values(clip, seen, "RefCLIPScore") == pytest.approx(wanted, abs=1e-6)
    assert np.count_nonzero(wanted) >= 2


@pytest.mark.slow
def test_another_photos_caption_scores_otherwise(clips, seen):
    swapped = SAID | {"a": SAID["b"], "b": SAID["a"]}
    before, after = values(clips["paper"], seen), values(clips["paper"], seen, said=swapped)
    assert abs(before[0] - after[0]) > 1e-3
    assert before[2:] == pytest.approx(after[2:], abs=1e-6)


@pytest.mark.slow
def test_texts_are_read_as_they_were_written(clips, seen):
    """Case does not matter to CLIP, punctuation does; a tokenizer of words would have dropped it."""
    before = values(clips["paper"], seen)
    assert values(clips["paper"], seen, said=SAID | {"a": SAID["a"].upper()})[0] == pytest.approx(before[0], abs=1e-6)
    assert abs(values(clips["paper"], seen, said=SAID | {"a": SAID["a"] + "."})[0] - before[0]) > 1e-4


@pytest.mark.slow
def test_the_signature_says_model_and_protocol(clips, seen):
    found = score(SAID, KNOWN, ["CLIPScore", "RefCLIPScore"], photos=seen, clip=clips["paper"])
    for name in ("CLIPScore", "RefCLIPScore"):
        signature = found[name].signature
        assert signature.startswith(f"{name}|showtell ") and "|texts as written|" in signature
        assert f"|{clips['paper'].signature}|" in signature
        assert found[name].interval is not None


def refused(*arguments, **options):
    with pytest.raises(InputError) as error:
        score(*arguments, **options)
    return str(error.value)


def test_what_is_missing_is_said(clips, seen):
    told = refused(SAID, KNOWN, "CLIPScore")
    assert told.startswith("CLIPScore needs the photos; ") and "--photos DIR" in told
    assert refused(SAID, KNOWN, "CLIPScore", photos=seen).startswith("CLIPScore needs a model; pass clip=")
    some = {key: path for key, path in seen.items() if key != "c"}
    told = refused(SAID, KNOWN, "CLIPScore", photos=some, clip=clips["paper"])
    assert told == (
        "1 of 6 candidates have no photo (first: c); every candidate needs its own, under the same image id"
    )


def test_torchmetrics_knows_no_references(clips, seen):
    told = refused(SAID, KNOWN, "RefCLIPScore", photos=seen, clip=clips["torchmetrics"])
    assert told.startswith("RefCLIPScore is not defined by the protocol torchmetrics") and "use paper or taipei" in told
    with pytest.raises(InputError, match=f"^{told}$"):
        make_ready(["RefCLIPScore"], clips["torchmetrics"])


def test_without_the_libraries_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("showtell.metrics.clipscore.find_spec", lambda name: None)
    for name in ("CLIPScore", "RefCLIPScore"):
        assert METRICS[name].missing(None).endswith("pip install 'showtell[clip]'")
