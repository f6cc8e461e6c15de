"""Image ids find their photos in a folder, by one way of naming for all."""

import pytest

from showtell.data.beside import photos_of
from showtell.plumbing.errors import InputError


@pytest.fixture
def photos(tmp_path):
    for name in ("a.jpg", "b.png", "in/c.jpg", "COCO_val2014_000000000042.jpg", "in/000000391895.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"-")
    return tmp_path


@pytest.mark.parametrize(
    ("image_ids", "found"),
    [
        (["a.jpg", "in/c.jpg"], ["a.jpg", "in/c.jpg"]),
        (["c.jpg", "b.png"], ["in/c.jpg", "b.png"]),
        (["c", "a"], ["in/c.jpg", "a.jpg"]),
        (["391895", "42"], ["in/000000391895.jpg", "COCO_val2014_000000000042.jpg"]),
    ],
)
def test_a_photo_is_found_by_path_name_stem_or_number(photos, image_ids, found):
    assert photos_of(image_ids, photos) == {key: photos / name for key, name in zip(image_ids, found, strict=True)}


def test_every_candidate_needs_its_photo(photos):
    with pytest.raises(InputError) as error:
        photos_of(["a.jpg", "x.jpg", "y.jpg"], photos)
    assert str(error.value).startswith(f"--photos is '{photos}', ") and "2 of 3 candidates (first: 'x.jpg')" in str(
        error.value
    )


def test_two_photos_of_one_name_are_not_guessed_between(photos):
    (photos / "in/a.jpg").write_bytes(b"-")
    assert photos_of(["a.jpg"], photos) == {"a.jpg": photos / "a.jpg"}  # its whole path
    with pytest.raises(InputError, match=r"has two photos for 'a': "):
        photos_of(["a", "c"], photos)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"^--photos is '.*nowhere'; it takes a folder"):
        photos_of(["a"], tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"^--photos=.*: no photos in it "):
        photos_of(["a"], tmp_path)
