"""What is written in each form is read again; what is no such file is one clear error."""

import itertools
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from showtell.plumbing.errors import InputError
from showtell.regions.readers import open_features
from tests.regions.small import WRITERS, Images, images, write_h5, write_npz

each_form = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
Writer = Callable[[Path, Images], Path]


@each_form
@pytest.mark.parametrize("boxes", [True, False], ids=["boxes", "no boxes"])
def test_every_form_round_trips(write: Writer, boxes: bool, tmp_path: Path) -> None:
    made = images(boxes)
    reader = open_features(write(tmp_path, made))
    assert dict(reader.shapes) == {name: features.shape for name, (features, _) in made.items()}
    for name, (features, where) in made.items():
        assert np.array_equal(reader.features(name), features)
        found = reader.boxes(name)
        assert (found is None) if where is None else np.array_equal(found, where)


@each_form
def test_an_id_may_be_a_path_and_have_a_suffix(write: Writer, tmp_path: Path) -> None:
    made = images(counts=(2, 4), names="xy")
    named = {"flickr8k/beach 1.jpg": made["x"], "möwe.png": made["y"]}
    reader = open_features(write(tmp_path, named))
    assert sorted(reader.shapes) == sorted(named)
    assert np.array_equal(reader.features("flickr8k/beach 1.jpg"), named["flickr8k/beach 1.jpg"][0])
    assert np.array_equal(reader.boxes("möwe.png"), named["möwe.png"][1])


def linked(root: Path, **links: Any) -> Path:
    """A file that holds nothing but links, beside the file of three images that they lead to."""
    import h5py

    write_h5(root, images())  # all.h5
    with h5py.File(root / "linked.h5", "w") as file:
        for name, link in links.items():
            file[name] = link
    return root / "linked.h5"


def test_links_of_hdf5_are_followed(tmp_path: Path) -> None:
    import h5py

    to_group, to_array = h5py.ExternalLink("all.h5", "/a"), h5py.ExternalLink("all.h5", "/b/features")
    links = {"one": to_group, "two": to_array, "two:boxes": h5py.ExternalLink("all.h5", "/b/boxes")}
    reader = open_features(linked(tmp_path, **links, three=h5py.SoftLink("/one"), four=h5py.SoftLink("/two")))
    wanted = {"one": "a", "two": "b", "three": "a", "four": "b"}
    assert dict(reader.shapes) == {name: images()[of][0].shape for name, of in wanted.items()}
    for name, of in wanted.items():
        assert np.array_equal(reader.features(name), images()[of][0])
    assert np.array_equal(reader.boxes("three"), images()["a"][1])
    assert np.array_equal(reader.boxes("two"), images()["b"][1])


def test_links_of_hdf5_that_lead_back_are_not_followed_for_ever(tmp_path: Path) -> None:
    import h5py

    path = linked(tmp_path, up=h5py.SoftLink("/"), out=h5py.ExternalLink("all.h5", "/"))
    with h5py.File(tmp_path / "all.h5", "a") as file:
        file["back"] = h5py.ExternalLink("linked.h5", "/")
        file["a/above"] = file["a"]
    assert sorted(open_features(path).shapes) == ["out/a", "out/b", "out/c"]


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (("ExternalLink", "gone.h5", "/a"), r"/a of gone\.h5"),
        (("ExternalLink", "all.h5", "/x"), r"/x of all\.h5"),
        (("SoftLink", "/x"), "/x"),
        (("SoftLink", "/img"), "/img"),
    ],
    ids=["no file", "not in the file", "not here", "itself"],
)
def test_a_link_of_hdf5_to_nothing_is_told(link: tuple[str, ...], said: str, tmp_path: Path) -> None:
    import h5py

    path = linked(tmp_path, img=getattr(h5py, link[0])(*link[1:]))
    with pytest.raises(
        InputError, match=rf"linked\.h5': 'img' is a link to {said}, which cannot be followed \(.*\); add"
    ):
        open_features(path)


def test_half_precision_is_read_whatever_its_kind(tmp_path: Path) -> None:
    save_file(
        {"a": torch.ones(2, 3, dtype=torch.bfloat16), "b": torch.ones(3, dtype=torch.half)}, tmp_path / "f.safetensors"
    )
    reader = open_features(tmp_path / "f.safetensors")
    assert reader.features("a").tolist() == [[1.0] * 3] * 2 and reader.features("b").tolist() == [1.0] * 3


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".h5", ".pkl"])
@pytest.mark.parametrize("content", [b"", b"no such form", b"PK\x03\x04 cut off"], ids=["empty", "text", "zip's begin"])
def test_a_file_of_another_form_is_one_error(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"features{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^regions\.file.*features"):
        open_features(path)


@pytest.mark.parametrize("write", [write_npz, write_h5, WRITERS["safetensors"], WRITERS["pickle"]])
def test_a_file_that_is_cut_off_is_one_error(write: Writer, tmp_path: Path) -> None:
    path = write(tmp_path, images())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"^regions\.file"):
        open_features(path)


def test_a_name_that_says_no_form_is_told_which_there_are(tmp_path: Path) -> None:
    (tmp_path / "features.tsv").write_text("1\t2")
    with pytest.raises(
        InputError, match=r"takes a folder of \.npy or \.npz, or a file that ends in \.npz, \.safetensors"
    ):
        open_features(tmp_path / "features.tsv")
    with pytest.raises(InputError, match="there is no such file or folder"):
        open_features(tmp_path / "nothing.npz")


def test_an_image_of_a_folder_that_names_its_features_otherwise_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((2, 3)), bbox=np.ones((2, 4)))
    with pytest.raises(InputError, match=r"a\.npz has x, bbox, but no 'features'; name the array"):
        open_features(tmp_path).features("a")


def test_a_folder_of_names_with_dots_keeps_them_apart_and_reads_no_hidden_file(tmp_path: Path) -> None:
    for number in range(2):
        np.save(tmp_path / f"22.0{number}.npy", np.full((1, 2), number))
    (tmp_path / "._22.00.npy").write_bytes(b"Mac OS X")
    reader = open_features(tmp_path)
    assert {name: reader.features(name).tolist() for name in reader.shapes} == {"22.00": [[0, 0]], "22.01": [[1, 1]]}


def test_two_files_of_features_for_one_image_are_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "7.npy", np.zeros((1, 2)))
    np.savez(tmp_path / "7.npz", features=np.ones((1, 2)))
    with pytest.raises(InputError, match=r"regions\.file is .*7\.npy and 7\.npz.*delete one"):
        open_features(tmp_path)


def test_arrays_of_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", a=np.array([{"run": "this"}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        open_features(tmp_path / "all.npz").features("a")


def test_texts_are_no_features_of_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "all.pkl").write_bytes(pickle.dumps({"a": [1.0, "text"]}))
    with pytest.raises(InputError, match="'a' has other values than numbers"):
        open_features(tmp_path / "all.pkl")


def claiming(
    path: Path, member: str, shape: tuple[int, ...], values: int, compression: int = zipfile.ZIP_STORED
) -> Path:
    """An archive with an array whose header claims a shape, and as many zeros."""
    with zipfile.ZipFile(path, "w", compression) as archive, archive.open(member, "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for _ in range(values // 2**20):
            file.write(bytes(4 * 2**20))
    return path


def test_an_archive_whose_header_claims_more_than_it_has_is_refused(tmp_path: Path) -> None:
    reader = open_features(claiming(tmp_path / "all.npz", "a.npy", (10**12, 6), 0))
    for read in (reader.shapes.__getitem__, reader.features):
        with pytest.raises(ValueError, match="'a' claims"):
            read("a")
    (tmp_path / "each").mkdir()
    claiming(tmp_path / "each" / "a.npz", "features.npy", (10**12, 6), 0)
    with pytest.raises(ValueError, match="'features' claims"):
        open_features(tmp_path / "each").features("a")


@pytest.mark.slow
def test_an_archive_that_inflates_beyond_all_measure_is_refused(tmp_path: Path) -> None:
    path = claiming(tmp_path / "all.npz", "a.npy", (16, 2**20), 16 * 2**20, zipfile.ZIP_BZIP2)
    with pytest.raises(ValueError, match="'a' claims"):
        open_features(path).features("a")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shape": (10**9, 6), "fillvalue": 1.0}, "claims"),
        ({"shape": (3, 6), "fillvalue": 1.0}, "none was written"),
        ({"shape": (4, 6), "chunks": (2, 6), "written": 2}, "1 of its 2 chunks"),
        ({"shape": (3, 6), "chunks": (10**8, 6), "maxshape": (None, 6)}, "claims"),
    ],
    ids=["much", "little", "one chunk", "a large chunk"],
)
@pytest.mark.parametrize("name", ["b", "a:boxes"])
def test_a_data_set_of_hdf5_that_is_not_written_is_refused(
    name: str, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    import h5py

    written = options.get("written", 0)
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["a"] = np.ones((3, 6), dtype=np.float32)
        made = file.create_dataset(name, dtype="f4", **{key: options[key] for key in options if key != "written"})
        if written:
            made[:written] = 1.0
    with pytest.raises(ValueError, match=said):  # an InputError is one
        reader = open_features(tmp_path / "all.h5")
        (reader.features if name == "b" else reader.boxes)(name.removesuffix(":boxes"))


def test_texts_are_no_features_of_hdf5(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["a"] = ["text"]
    with pytest.raises(ValueError, match="'a' has type object"):
        open_features(tmp_path / "all.h5").features("a")


def test_what_numpy_compresses_is_read(tmp_path: Path) -> None:
    made = np.zeros((36, 2048), dtype=np.float32)  # as small as deflate makes it
    np.savez_compressed(tmp_path / "all.npz", a=made)
    assert np.array_equal(open_features(tmp_path / "all.npz").features("a"), made)


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_h5(tmp_path, images())
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"needs h5py; pip install 'showtell\[h5\]'"):
        open_features(path)


def test_links_that_multiply_or_lead_to_a_pipe_end(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        groups = [file.create_group(f"g{number}") for number in range(30)]
        for upper, lower in itertools.pairwise(groups):
            upper["a"] = upper["b"] = lower
    with pytest.raises(InputError, match="too many ways"):
        open_features(tmp_path / "a.h5")
    os.mkfifo(tmp_path / "pipe.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["7"] = h5py.ExternalLink("pipe.h5", "/7")
    with pytest.raises(InputError, match="is a pipe"):
        open_features(tmp_path / "b.h5")
