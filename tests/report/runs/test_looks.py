"""Chosen photos: captions of all runs, references if they are known, maps of the words if a run has them."""

import json
import shutil

import pytest

from showtell.plumbing.errors import InputError
from showtell.report.runs import looks as looks_room
from showtell.report.runs.looks import look_at_folder, look_at_middle, map_words, mapped
from tests.report.small import small_captioner


@pytest.fixture
def folder(found, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for image_id in found.image_ids[:2]:
        shutil.copy(found.comparison.photos[image_id], photos)
    return photos


def test_the_middle_photos_have_scored_captions_and_maps(found, looks):
    assert len(looks) == 5
    look = looks[0]
    assert look.captions == {name: found.caption(name, look.image_id) for name in found.names}
    assert set(look.maps) == set(found.names) - {"human"}
    name = next(iter(look.maps))
    words = look.words(name)
    assert words and all(max(picture.size) == 168 for _, picture in words)
    assert all(any(letter.isalnum() for letter in word) for word, _ in words)


def test_a_greedy_folder_is_looked_at_as_it_decoded(found, looks):
    assert all(look.maps["greedy"].text == look.captions["greedy"] for look in looks)


def test_photos_of_a_folder_are_captioned_by_all_runs(found, folder):
    looks, failed = look_at_folder(found, folder, ["none"])
    assert failed == {} and [look.image_id for look in looks] == sorted(found.image_ids[:2])
    for look in looks:
        assert list(look.captions) == ["frozen", "trained", "greedy"]  # the weights of the fourth are not here
        assert look.captions["trained"] == found.caption("trained", look.image_id)
        assert tuple(look.references) == tuple(found.comparison.references[look.image_id]) and not look.maps


def test_references_in_the_folder_come_first(found, folder):
    rows = [{"file_name": path.name, "text": f"I see {path.stem}"} for path in folder.iterdir()]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    looks, _ = look_at_folder(found, folder, ["none"])
    assert [list(look.references) for look in looks] == [[f"I see {look.path.stem}"] for look in looks]


def test_a_photo_that_cannot_be_read_is_reported_and_the_others_shown(found, folder):
    (folder / "broken.jpg").write_bytes(b"no photo")
    looks, failed = look_at_folder(found, folder, ["none"])
    assert len(looks) == 2 and "not an image" in failed["broken.jpg"]


def test_of_many_photos_the_first_are_shown(found, folder, monkeypatch):
    monkeypatch.setattr(looks_room, "MOST_PHOTOS", 1)
    looks, notes = look_at_folder(found, folder, ["none"])
    assert len(looks) == 1 and notes == {str(folder): "has 2 photos; the first 1 are shown"}


def test_a_folder_with_no_photo_that_can_be_read_is_refused(found, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    with pytest.raises(InputError, match=r"--photos .* no photo that can be read"):
        look_at_folder(found, tmp_path, None)
    with pytest.raises(InputError, match="does not exist"):
        look_at_folder(found, tmp_path / "none", None)


def test_every_captioner_has_maps_by_its_best_method(found):
    image = next(iter(look_at_middle(found, ["none"]))).image()
    seen = map_words(small_captioner(decoder={"name": "recurrent", "cell": "rnn"}), image)
    assert seen is not None and seen.how == "occlusion" and len(seen.words) == len(seen.maps)
    assert map_words(small_captioner(), image).how == "relevance"


def test_a_captioner_that_cannot_be_explained_has_no_maps(found, monkeypatch):
    def refuse(*args, **kwargs):
        raise InputError("it has no tokens")

    monkeypatch.setattr(looks_room, "explain", refuse)
    looks = look_at_middle(found, None)
    assert all(look.maps == {} for look in looks) and looks[0].captions


def test_maps_are_of_the_named_runs(found):
    assert mapped(found, None) == found.names and mapped(found, ["none"]) == []
    assert mapped(found, ["trained"]) == ["trained"]
    with pytest.raises(InputError) as error:
        mapped(found, ["train"])
    assert error.value.key == "--maps" and error.value.near == "trained"
