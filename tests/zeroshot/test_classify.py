"""The door `showtell.classify`: what it takes and returns, and which models it finds."""

import json

import pytest
from PIL import Image

import showtell
from showtell.plumbing.errors import InputError
from showtell.zeroshot.models import is_captioner
from tests.clip.tiny import draw_photos


@pytest.fixture(scope="module")
def tiny():
    return showtell.load("tiny")


@pytest.fixture
def album(tmp_path):
    return draw_photos(tmp_path / "album", count=3)


def test_a_guess_is_a_label_and_its_probability(tiny, album):
    guesses = showtell.classify(album, ["dog", "red car"], model=tiny)
    assert len(guesses) == 3
    for label, probability in guesses:
        assert label in ("dog", "red car") and 0.5 <= probability <= 1


@pytest.mark.slow
def test_one_photo_a_folder_and_pictures_are_taken(tiny, album):
    of_list = showtell.classify(album, ["dog", "red car"], model=tiny)
    assert showtell.classify(album[0].parent, "dog,red car", model=tiny) == of_list
    with Image.open(album[0]) as picture:
        for one in (str(album[0]), picture):
            (guess,) = showtell.classify(one, ["dog", "red car"], model=tiny)
            assert guess.label == of_list[0].label
            assert guess.probability == pytest.approx(of_list[0].probability, abs=1e-4)
    assert showtell.classify([], ["dog", "cat"], model=tiny) == []


@pytest.mark.slow
def test_labels_with_ids_give_ids(tiny, album, tmp_path):
    (tmp_path / "id2label.json").write_text(json.dumps({"4": "dog", "5": "red car"}))
    by_file = showtell.classify(album, tmp_path / "id2label.json", model=tiny)
    assert {guess.label for guess in by_file} <= {"4", "5"}
    assert by_file == showtell.classify(album, {4: "dog", 5: "red car"}, model=tiny)


def test_a_photo_that_cannot_be_read_gets_the_first_label_and_a_warning(tiny, album):
    (album[0].parent / "a.jpg").write_bytes(b"no photo")
    with pytest.warns(UserWarning, match=r"a\.jpg gets the first label"):
        guesses = showtell.classify([album[0], album[0].parent / "a.jpg"], ["dog", "red car"], model=tiny)
    assert guesses[1] == ("dog", 0.0) and guesses[0].probability > 0


def test_wrong_use_is_said_before_a_model_is_loaded(album):
    for photos, labels, prompts, word in (
        (album, ["a", "a"], "photo", "more than once"),
        (album, ["a", "b"], "a photo", "{}"),
        ([album[0], Image.new("RGB", (3, 4))], ["a", "b"], "photo", "one kind"),
        (["nowhere.jpg"], ["a", "b"], "photo", "does not exist"),
    ):
        with pytest.raises(InputError, match=word):
            showtell.classify(photos, labels, prompts, model="./nowhere")


def test_a_name_is_a_captioner_if_there_is_one(cnn_run, tmp_path, monkeypatch):
    assert is_captioner("tiny") and is_captioner(str(cnn_run))
    assert not is_captioner("open_clip:ViT-B-32/openai") and not is_captioner("openai/clip-vit-base-patch32")
    assert not is_captioner(str(tmp_path)) and not is_captioner("./nowhere")
    monkeypatch.setattr("showtell.zeroshot.models.hub_is_out_of_reach", lambda: False)
    monkeypatch.setattr("huggingface_hub.file_exists", lambda repository, name: repository == "you/my-captioner")
    assert is_captioner("you/my-captioner") and not is_captioner("you/my-clip")
