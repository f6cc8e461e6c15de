"""Features that somebody computed: what is read is what was written, and what is wrong is told before any training."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.numpy import save_file

from showtell.cache import Source, encode, open_source
from showtell.data.images import ORIENTATION
from showtell.data.record import Record
from showtell.plumbing.errors import InputError
from showtell.regions.precomputed import Precomputed
from tests.regions.small import WRITERS, Images, images, write_npy

each_form = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())


def records(*names: str, folder: Path = Path("photos")) -> list[Record]:
    return [Record(name, folder / Path(name).name, ("a dog",), "train") for name in names]


def opened(encoder: Precomputed, *names: str, complete: bool = False) -> tuple[Source, str]:
    """The source of photos with these names, and what was said."""
    said = io.StringIO()
    console = Console(file=said, width=300)
    return open_source(records(*names), encoder, console=console, complete=complete), said.getvalue()


def stored(tmp_path: Path, **arrays: object) -> str:
    flat = {name.replace("__", ":"): np.asarray(array, dtype=np.float32) for name, array in arrays.items()}
    save_file(flat, tmp_path / "features.safetensors")
    return str(tmp_path / "features.safetensors")


@each_form
def test_features_are_padded_masked_and_pooled_over_what_is_real(
    write: Callable[[Path, Images], Path], tmp_path: Path
) -> None:
    made = images()
    encoder = Precomputed(file=str(write(tmp_path, made)))
    source, said = opened(encoder, "a.jpg", "b.jpg", "c.jpg")
    features = source([2, 0])
    assert (encoder.dim, encoder.count, encoder.places) == (6, 5, True) and len(source) == 3 and said == ""
    assert features.mask.tolist() == [[True] * 5, [True] * 3 + [False] * 2]
    for row, name in enumerate("ca"):
        array, boxes = made[name]
        real = features.mask[row]
        assert np.array_equal(features.tokens[row, real], array) and np.array_equal(features.boxes[row, real], boxes)
        assert np.array_equal(features.pooled[row], array.max(0))
    assert not features.tokens[~features.mask].any()


def test_the_mean_is_over_what_is_real(tmp_path: Path) -> None:
    made = images()
    encoder = Precomputed(file=str(WRITERS["npz"](tmp_path, made)), pool="mean")
    pooled = opened(encoder, "a", "b", "c")[0]([0, 1, 2]).pooled
    for row, (array, _) in zip(pooled, made.values(), strict=True):
        np.testing.assert_allclose(row, array.mean(0), rtol=1e-5, atol=1e-6)


def test_count_cuts_and_fills_up(tmp_path: Path) -> None:
    made = images()
    encoder = Precomputed(file=str(WRITERS["npz"](tmp_path, made)), count=4)
    features = opened(encoder, "a", "b", "c")[0]([0, 1, 2])
    assert features.mask.sum(1).tolist() == [3, 1, 4]
    assert np.array_equal(features.tokens[2], made["c"][0][:4])
    assert np.array_equal(features.pooled[2], made["c"][0][:4].max(0))


def test_one_vector_an_image_is_one_region_that_is_the_whole_photo(tmp_path: Path) -> None:
    encoder = Precomputed(file=stored(tmp_path, a=[1, 2, 3], b=[4, 5, 6]))
    features = opened(encoder, "b", "a")[0]([0, 1])
    assert features.tokens.tolist() == [[[4, 5, 6]], [[1, 2, 3]]] and features.pooled.tolist() == [[4, 5, 6], [1, 2, 3]]
    assert features.boxes.tolist() == [[[0, 0, 1, 1]]] * 2 and not encoder.places


@pytest.mark.parametrize("key", ["x/dog.jpg", "x/dog", "dog.jpg", "dog"])
def test_features_go_by_image_id_or_file_with_its_suffix_or_without(key: str, tmp_path: Path) -> None:
    encoder = Precomputed(file=stored(tmp_path, **{key: [[1, 2]], "cat": [[3, 4]]}))
    assert opened(encoder, "x/dog.jpg")[0]([0]).pooled.tolist() == [[1, 2]]


def test_features_of_a_name_cut_at_its_dot_are_another_photos(tmp_path: Path) -> None:
    encoder = Precomputed(file=stored(tmp_path, **{"22": [[1, 2]], "22.01": [[3, 4]]}))
    source, _ = opened(encoder, "22.00", "22.01.jpg", "22.jpg")
    assert [record.image_id for record in source.records] == ["22.01.jpg", "22.jpg"]
    assert source([0, 1]).pooled.tolist() == [[3, 4], [1, 2]]


def test_a_name_that_would_be_two_photos_is_an_error(tmp_path: Path) -> None:
    encoder = Precomputed(file=stored(tmp_path, dog=[[1, 2]]))
    with pytest.raises(InputError, match=r"'dog' fits both 'x/dog\.jpg' and 'y/dog\.jpg'; name features by"):
        opened(encoder, "x/dog.jpg", "y/dog.jpg")


def test_photos_without_features_are_left_out_with_a_count(tmp_path: Path) -> None:
    encoder = Precomputed(file=stored(tmp_path, a=[[1, 2]], b=np.zeros((0, 2))))
    source, said = opened(encoder, "x.jpg", "a.jpg", "y.jpg", "b.jpg")
    assert [record.image_id for record in source.records] == ["a.jpg"] and source([0]).pooled.tolist() == [[1, 2]]
    assert [name for name, _ in source.left_out] == ["x.jpg", "y.jpg", "b.jpg"]
    assert "3 of 4 photos are not in regions.file=" in said
    assert "2 no features (first: x.jpg), 1 no regions (first: b.jpg); skipped" in said


def test_an_error_where_no_photo_has_features_or_all_are_needed(tmp_path: Path) -> None:
    encoder = Precomputed(file=stored(tmp_path, a=[[1, 2]]))
    wanted = r"2 of 2 photos are not in .*2 no features \(first: x\); .* the first name in the file is 'a'"
    with pytest.raises(InputError, match=wanted):
        opened(encoder, "x", "y")
    with pytest.raises(InputError, match="1 of 2 photos is not in"):
        opened(encoder, "a", "y", complete=True)


WRONG = {
    "three axes": ({"a": [[1, 2]], "b": [[[1, 2]]]}, r"'b' is float32 \(1, 1, 2\); an image takes"),
    "a number": (
        {"a": [[1, 2]], "b": 5},
        r"'b' is float32 \(\); an image takes finite numbers of shape \(N, D\)",
    ),
    "another D": ({"a": [[1, 2]], "b": [[1, 2, 3]]}, r"'b' is \(1, 3\), but 'a' has 2 channels"),
    "not finite": ({"a": [[1, 2]], "b": [[1, np.nan]]}, r"'b' has infinite or NaN values"),
    "too large": ({"a": [[1, 2]], "b": [[1, np.inf]]}, r"'b' has infinite or NaN values"),
    "no boxes": ({"a": [[1, 2]], "a:boxes": [[0, 0, 1, 1]], "b": [[1, 2]]}, r"'b' has no boxes, but 'a' has"),
    "boxes": ({"a": [[1, 2]], "b": [[1, 2]], "b:boxes": [[0, 0, 1, 1]]}, r"'b' has boxes, but 'a' has none"),
}
BOXES = {
    "too few": ([[0, 0, 1, 1]], r"the boxes of 'b' are float32 \(1, 4\), but its features are \(2, 2\)"),
    "three edges": ([[0, 0, 1]] * 2, r"the boxes of 'b' are float32 \(2, 3\)"),
    "not finite": ([[0, 0, 1, np.nan]] * 2, r"the boxes of 'b' are"),
    "backwards": (
        [[0.5, 0, 0.2, 1]] * 2,
        r"the boxes of 'b' end before they begin; boxes are \(left, top, right, bottom\)",
    ),
    "pixels": (
        [[5, 0, 412, 300]] * 2,
        r"'b' reach from 0 to 412 of the photo; .*set regions\.boxes=pixels",
    ),
}
BOXES |= {
    f"{edge} beyond": ([box] * 2, rf"'b' reach from {low} to {high} of the photo")
    for edge, box, low, high in [("right", [0, 0, 1.03, 1], "0", "1.03"), ("top", [0, -0.03, 1, 1], "-0.03", "1")]
}
WRONG |= {
    f"boxes: {name}": ({"a": [[1, 2]], "a:boxes": [[0, 0, 1, 1]], "b": [[1, 2]] * 2, "b:boxes": boxes}, said)
    for name, (boxes, said) in BOXES.items()
}


@pytest.mark.parametrize(("arrays", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_told_when_features_are_opened(arrays: dict[str, object], said: str, tmp_path: Path) -> None:
    encoder = Precomputed(file=stored(tmp_path, **arrays))
    with pytest.raises(InputError, match=said):
        opened(encoder, "a", "b")


def test_boxes_that_reach_a_little_beyond_the_photo_are_cut(tmp_path: Path) -> None:
    encoder = Precomputed(file=stored(tmp_path, a=[[1, 2]], a__boxes=[[-0.01, 0.5, 1.01, 1]]))
    assert opened(encoder, "a")[0]([0]).boxes.tolist() == [[[0, 0.5, 1, 1]]]


def test_features_that_no_photo_asks_for_may_be_anything(tmp_path: Path) -> None:
    encoder = Precomputed(file=stored(tmp_path, a=[[1, 2]], about=[[[7]]]))
    assert len(opened(encoder, "a")[0]) == 1 and encoder.count == 1


def test_letters_are_no_features(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", a=np.array([["x", "y"]]))
    with pytest.raises(InputError, match=r"'a' is <U1 \(1, 2\)"):
        Precomputed(file=str(tmp_path / "all.npz"))


def test_arrays_of_objects_are_one_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", a=np.array([{}], dtype=object))
    with pytest.raises(InputError, match=r"'a' cannot be read as a \.npz of arrays \(Object arrays"):
        Precomputed(file=str(tmp_path / "all.npz"))


def test_nothing_is_no_features(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it has no features"):
        Precomputed(file=str(tmp_path))


@pytest.mark.parametrize("count", [None, 4])
def test_images_that_all_have_no_regions_are_told_when_the_file_is_opened(count: int | None, tmp_path: Path) -> None:
    file = stored(tmp_path, a=np.zeros((0, 2)), b=np.zeros((0, 2)))
    with pytest.raises(InputError, match=r"none of its 2 images has a region; save features of shape \(N, D\)"):
        Precomputed(file=file, count=count)


@each_form
def test_the_fingerprint_knows_that_features_were_written_again(
    write: Callable[[Path, Images], Path], tmp_path: Path
) -> None:
    file = write(tmp_path, images())
    encoder = Precomputed(file=str(file))
    before, last = encoder.fingerprint, max(file.rglob("*")) if file.is_dir() else file
    assert Precomputed(file=str(file)).fingerprint == before
    written = last.stat().st_mtime_ns
    os.utime(last, ns=(written, written + 1_000_000_000))
    assert encoder.fingerprint != before
    os.utime(last, ns=(written, written))
    assert encoder.fingerprint == before
    with last.open("ab") as longer:
        longer.write(b"0")
    os.utime(last, ns=(written, written))
    assert encoder.fingerprint != before


def test_the_fingerprint_knows_the_files_of_linked_folders(tmp_path: Path) -> None:
    """They are read, so they count; a file of another kind does not, and a link to nowhere is no matter."""
    file = write_npy(tmp_path, images())
    (tmp_path / "far").mkdir()
    (file / "near").symlink_to(tmp_path / "far", target_is_directory=True)
    encoder = Precomputed(file=str(file))
    (file / "gone.npy").symlink_to(tmp_path / "gone.npy")
    before = encoder.fingerprint
    (tmp_path / "far" / "notes.txt").write_text("of no matter")
    assert encoder.fingerprint == before
    np.save(tmp_path / "far" / "d.npy", np.ones((2, 6)))
    assert encoder.fingerprint != before


def test_the_fingerprint_knows_what_of_the_features_is_taken(tmp_path: Path) -> None:
    file = str(write_npy(tmp_path, images()))
    changes: list[dict[str, Any]] = [{}, {"count": 2}, {"pool": "mean"}, {"boxes": "pixels"}]
    assert len({Precomputed(file=file, **change).fingerprint for change in changes}) == 4


def test_boxes_in_pixels_are_those_of_the_upright_photo(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", (40, 80)).save(tmp_path / "turned.jpg", exif=exif)  # shown 80 wide and 40 high
    Image.new("RGB", (50, 20)).save(tmp_path / "plain.png")
    made = {"turned": [[1, 2]], "turned:boxes": [[8, 10, 80, 40]], "plain": [[3, 4]], "plain:boxes": [[5, 0, 50, 20.1]]}
    encoder = Precomputed(file=stored(tmp_path, **made), boxes="pixels")
    source = open_source(records("turned.jpg", "plain.png", "gone.png", folder=tmp_path), encoder, progress=False)
    torch.testing.assert_close(source([0, 1]).boxes[:, 0], torch.tensor([[0.1, 0.25, 1, 1], [0.1, 0, 1, 1]]))
    assert [left.name for left in source.left_out] == ["gone.png"]


def test_features_stay_in_their_file_until_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Precomputed(file=str(WRITERS["npz"](tmp_path, images())))
    source, _ = opened(encoder, "a", "b", "c")
    read: list[str] = []
    features = encoder.reader.features
    monkeypatch.setattr(encoder.reader, "features", lambda name: read.append(name) or features(name))
    source([1])
    assert read == ["b"]


def test_another_photo_cannot_be_seen_and_that_is_said(tmp_path: Path) -> None:
    encoder = Precomputed(file=stored(tmp_path, a=[[1, 2]]))
    with pytest.raises(InputError, match=r"reads precomputed features .* train a run with regions=windows"):
        encode(encoder, [Image.new("RGB", (9, 9))])
