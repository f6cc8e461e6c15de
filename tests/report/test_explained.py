"""A picture for each photo, under a name of its own; what cannot be read does not stop the others."""

from pathlib import Path

import pytest
from PIL import Image

from showtell.plumbing.errors import InputError
from showtell.report.explained import explain_photos, picture_names
from tests.report.small import small_captioner


def photo(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (50, 30), colour).save(path)
    return path


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
        and str(found[1][1]) == "broken.jpg: not an image (jpeg, png, webp, bmp, gif, tiff can be read)"
    )
    assert found[2] == ("beach/dog.png", tmp_path / "maps/all/beach_dog.png")
    assert sorted(path.name for path in (tmp_path / "maps/all").iterdir()) == ["beach_dog.png", "dog.png"]
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


def test_a_picture_never_replaces_a_photo(tmp_path):
    dog = photo(tmp_path / "dog.png")
    before = dog.read_bytes()
    assert list(explain_photos(small_captioner(), {"dog.png": dog}, tmp_path)) == [("dog.png", tmp_path / "dog-2.png")]
    assert dog.read_bytes() == before


def test_a_model_without_attention_stops_at_once(tmp_path):
    captioner = small_captioner(decoder={"name": "recurrent", "cell": "rnn"})
    with pytest.raises(InputError, match="no word looks at a part of it"):
        list(explain_photos(captioner, {"dog.png": photo(tmp_path / "dog.png")}, tmp_path / "maps"))
    assert not (tmp_path / "maps").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "maps").write_text("a file")
    with pytest.raises(InputError, match=r"^--out .*maps is not a folder; name another$"):
        list(explain_photos(small_captioner(), {"dog.png": photo(tmp_path / "dog.png")}, tmp_path / "maps"))
