"""A picture for each photo, under a name of its own; what cannot be read does not stop the others."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from showtell.explain.explain import explain
from showtell.explain.explanation import Explanation
from showtell.plumbing.errors import InputError
from showtell.report import explained
from showtell.report.explained import PAGE, UnsaidWord, explain_photos, picture_names
from tests.report.small import small_captioner


def photo(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (50, 30), colour).save(path)
    return path


@pytest.mark.slow
def test_every_photo_gets_its_picture_and_an_unreadable_one_its_reason(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    photos = {
        "dog.jpg": photo(tmp_path / "dog.jpg"),
        "broken.jpg": tmp_path / "broken.jpg",
        "beach/dog.png": photo(tmp_path / "beach/dog.png", "blue"),
    }
    found = list(explain_photos(small_captioner(), photos, tmp_path / "maps" / "all"))
    assert found[0][1] == tmp_path / "maps/all/dog.png"
    assert (
        found[1][0] == "broken.jpg"
        and str(found[1][1]) == "broken.jpg: not an image (jpeg, png, webp, bmp, gif, tiff, avif, heif can be read)"
    )
    assert found[2] == ("beach/dog.png", tmp_path / "maps/all/beach_dog.png")
    assert found[3] == (PAGE, tmp_path / "maps/all/explained.html")
    made = sorted(path.name for path in (tmp_path / "maps/all").iterdir())
    assert made == ["beach_dog.npz", "beach_dog.png", "dog.npz", "dog.png", "explained.html"]
    assert Image.open(found[0][1]).width > 300


@pytest.mark.parametrize(
    ("image_id", "name"),
    [
        ("dog.jpg", "dog.png"),
        ("a/b/dog.jpg", "a_b_dog.png"),
        ("a\\dog.jpg", "a_dog.png"),
        ("../up.jpg", "up.png"),
        ("/photos/dog.jpg", "photos_dog.png"),
        ("my.dog.jpg", "my.dog.png"),
        ("plain", "plain.png"),
        ("22.00", "22.00.png"),  # a key of a tar: its dots are no ending
        (".jpg", "jpg.png"),
        ("...", "photo.png"),
        ("x" * 300 + ".jpg", "x" * 100 + ".png"),
    ],
)
def test_names_come_from_the_image_id(image_id, name):
    assert picture_names({image_id: Path("somewhere/else.jpg")}, Path("maps"))[image_id] == Path("maps") / name


def test_photos_of_the_same_name_get_different_pictures():
    photos = {name: Path(name) for name in ("a/dog.jpg", "a_dog.jpg", "a_dog.png", "A_DOG.gif")}
    names = [path.name for path in picture_names(photos, Path("maps")).values()]
    assert names == ["a_dog.png", "a_dog-2.png", "a_dog-3.png", "A_DOG-4.png"]


@pytest.mark.slow
def test_a_picture_never_replaces_a_photo(tmp_path):
    dog = photo(tmp_path / "dog.png")
    before = dog.read_bytes()
    found = list(explain_photos(small_captioner(), {"dog.png": dog}, tmp_path))
    assert found[0] == ("dog.png", tmp_path / "dog-2.png")
    assert dog.read_bytes() == before


def test_a_model_without_attention_stops_at_once_if_attention_is_asked_for(tmp_path):
    captioner = small_captioner(decoder={"name": "recurrent", "cell": "rnn"})
    with pytest.raises(InputError, match="reads the image without attention"):
        list(explain_photos(captioner, {"dog.png": photo(tmp_path / "dog.png")}, tmp_path / "maps", how="attention"))
    assert not (tmp_path / "maps").exists()


@pytest.mark.slow
def test_numbers_are_those_of_the_explanation_without_pickles(tmp_path):
    captioner = small_captioner()
    list(explain_photos(captioner, {"dog.png": photo(tmp_path / "dog.png")}, tmp_path / "maps"))
    found = explain(captioner, captioner.open(tmp_path / "dog.png"))
    with np.load(tmp_path / "maps/dog.npz", allow_pickle=False) as arrays:
        assert arrays["words"].tolist() == found.words and str(arrays["caption"]) == found.text
        assert str(arrays["how"]) == "relevance" and float(arrays["share"]) == 0.2
        np.testing.assert_allclose(arrays["maps"], found.maps)
        np.testing.assert_allclose(arrays["boxes"], found.boxes)
        np.testing.assert_allclose(arrays["log_probs"], found.log_probs)
        np.testing.assert_allclose(arrays["falls"], found.deletion.falls)
        np.testing.assert_allclose(arrays["random_falls"], found.deletion.chance)


@pytest.mark.slow
def test_words_that_a_caption_does_not_say_are_one_line_and_the_others_are_drawn(tmp_path):
    captioner = small_captioner()
    path = photo(tmp_path / "dog.png")
    said = explain(captioner, captioner.open(path)).words
    found = list(explain_photos(captioner, {"dog.png": path}, tmp_path / "maps", words=["giraffe"]))
    assert isinstance(found[0][1], UnsaidWord) and len(found) == 1
    assert f"dog.png: the caption does not say 'giraffe'; it says: {' '.join(said)}" == str(found[0][1])
    found = list(explain_photos(captioner, {"dog.png": path}, tmp_path / "maps", words=["giraffe", said[0]]))
    assert found[0][1] == tmp_path / "maps/dog.png"


def test_words_that_no_caption_says_are_named_if_others_are_said(tmp_path, monkeypatch):
    """Of three photos, the first says none of the words."""
    texts = iter(["a red heart", "a dog on grass", "a cat"])

    def explain(*given, **asked):
        words = next(texts).split()
        return Explanation(words, torch.rand(len(words), 4), torch.rand(4, 4), " ".join(words))

    monkeypatch.setattr(explained, "explain", explain)
    monkeypatch.setattr(explained, "attention_figure", lambda *given: None)
    monkeypatch.setattr(explained, "png", lambda *given: b"")
    photos = {f"{n}.png": photo(tmp_path / f"{n}.png") for n in range(3)}
    found = list(explain_photos(small_captioner(), photos, tmp_path / "maps", words=["dog", "Zebra", "cat", "Zebra"]))
    assert [name for name, _ in found] == ["0.png", "1.png", "2.png", "explained.html", "Zebra"]
    assert isinstance(found[0][1], UnsaidWord) and str(found[-1][1]) == "no caption says 'Zebra'"


@pytest.mark.parametrize("name", ["dog.png", "dog.npz", "explained.html"])
def test_a_file_of_somebody_else_is_never_replaced(tmp_path, name):
    maps = tmp_path / "maps"
    maps.mkdir()
    (maps / name).write_bytes(b"precious")
    with pytest.raises(InputError, match=rf"--out .*maps has {name}, which `showtell explain` did not write") as error:
        list(explain_photos(small_captioner(), {"dog.jpg": photo(tmp_path / "dog.jpg")}, maps))
    assert "another folder" in error.value.advice
    assert [(path.name, path.read_bytes()) for path in maps.iterdir()] == [(name, b"precious")]


@pytest.mark.slow
def test_a_second_time_its_own_files_are_replaced(tmp_path):
    photos = {"dog.png": photo(tmp_path / "dog.png")}
    for _ in range(2):
        found = list(explain_photos(small_captioner(), photos, tmp_path / "maps"))
    assert [path.name for _, path in found] == ["dog.png", "explained.html"]
    assert len(list((tmp_path / "maps").iterdir())) == 3


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "maps").write_text("a file")
    with pytest.raises(InputError, match=r"^--out .*maps is not a folder; name another$"):
        list(explain_photos(small_captioner(), {"dog.png": photo(tmp_path / "dog.png")}, tmp_path / "maps"))
