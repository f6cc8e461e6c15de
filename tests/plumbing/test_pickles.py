"""Of a pickle numbers are read, and nothing that it names is ever called."""

import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from showtell.plumbing.errors import InputError
from showtell.plumbing.pickles import load
from showtell.regions.readers import open_features
from tests.regions.small import images, write_pickle


class Calls:
    """Pickled, it is a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_every_protocol_are_read(protocol: int, tmp_path: Path) -> None:
    made = images()
    reader = open_features(write_pickle(tmp_path, made, protocol))
    for name, (features, boxes) in made.items():
        assert np.array_equal(reader.features(name), features) and np.array_equal(reader.boxes(name), boxes)


def test_plain_dicts_lists_and_numbers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "all.pkl"
    path.write_bytes(pickle.dumps(OrderedDict({7: [[1.0, 2.0], [3.0, 4.5]], "b": (np.float64(1.5), 2)})))
    reader = open_features(path)
    assert reader.features("7").tolist() == [[1.0, 2.0], [3.0, 4.5]] and reader.features("b").tolist() == [1.5, 2.0]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_a_program_is_refused_and_does_not(protocol: int, tmp_path: Path) -> None:
    path, proof = tmp_path / "evil.pkl", tmp_path / "proof"
    path.write_bytes(pickle.dumps({"a": np.ones((2, 3)), "b": Calls(os.system, f"touch {proof}")}, protocol))
    with pytest.raises(InputError, match=r"asks for \w+\.system\. Only numpy arrays in dicts and lists are read"):
        open_features(path)
    assert not proof.exists()


@pytest.mark.parametrize(
    "what",
    [
        Calls(eval, "1"),
        Calls(getattr, 1, "real"),
        Calls(np.load, "x"),
        Calls(np.frompyfunc, len, 1, 1),
        torch.ones(2),
        Path(),
    ],
    ids=["eval", "getattr", "np.load", "another of numpy", "a tensor", "a path"],
)
def test_whatever_else_is_named_is_refused(what: Any, tmp_path: Path) -> None:
    path = tmp_path / "all.pkl"
    path.write_bytes(pickle.dumps({"a": what}))
    with pytest.raises(InputError, match=r"pickle asks for .*; save the arrays as \.npz or \.safetensors"):
        load(path)


def test_dotted_names_do_not_lead_out_of_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "all.pkl"
    path.write_bytes(b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__base__\x93.")
    with pytest.raises(InputError, match=r"asks for numpy\.ndarray\.__base__"):
        load(path)


@given(st.binary(max_size=60))
def test_no_bytes_do_more_than_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "all.pkl"
    path.write_bytes(content)
    try:
        load(path)
    except InputError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "it has a list; it takes a dict of arrays"),
        ({"a": {"x": 1, "boxes": 2}}, "'a' has x, boxes, but no 'features'; name the array"),
    ],
    ids=["a list", "other names"],
)
def test_another_content_is_told(content: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "all.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=said):
        open_features(path)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


class Python2:
    """What numpy 1 under Python 2 wrote: protocol 2, and the values as a short string of bytes."""

    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85U\x01b\x87R(K\x01K\x02\x85"
        b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x08\x00\x00\x80?\x00\x00\x00@tb."
    )


def test_arrays_that_python_2_wrote_are_read(tmp_path: Path) -> None:
    assert load(written(tmp_path / "a.pkl", Python2.content)).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["?", "i1", ">i2", "u4", "<i8", "f2", ">f4", "f8"])
def test_numbers_of_every_kind_come_back_with_their_shape_and_order(protocol: int, kind: str, tmp_path: Path) -> None:
    made = np.arange(6).reshape(2, 3).astype(kind)
    content = {"c": made, "f": np.asfortranarray(made), "none": made[:0], "one": made[1, 2], "two": {3: made, "s": "x"}}
    read = load(written(tmp_path / "a.pkl", pickle.dumps(content, protocol)))
    assert read["two"][3].dtype == np.dtype(kind).newbyteorder("=") and read["two"]["s"] == "x"
    for name in ("c", "f", "none"):
        assert np.array_equal(read[name], content[name]) and read[name].shape == content[name].shape
    assert read["one"] == made[1, 2] and read["c"].flags.writeable


def test_numbers_of_numpy_may_be_keys(tmp_path: Path) -> None:
    words = {np.int64(3): "dog", "sizes": [np.int32(4), (1, 2.5, None, True)]}
    assert load(written(tmp_path / "a.pkl", pickle.dumps(words))) == {3: "dog", "sizes": [4, (1, 2.5, None, True)]}


HOSTILE = {
    "an array of objects": pickle.dumps(np.array([None, 1], dtype=object)),
    "a structured type": pickle.dumps(np.zeros(2, dtype=[("a", "f4")])),
    "an array of texts": pickle.dumps(np.array(["a", "b"])),
    "dates": pickle.dumps(np.array(["2020-01-01"], dtype="M8[D]")),
    "a byte too few": Python2.content.replace(b"U\x08\x00\x00\x80?\x00\x00\x00@", b"U\x07\x00\x00\x80?\x00\x00\x00"),
    "another shape": Python2.content.replace(b"K\x02\x85c", b"K\x03\x85c"),
    "nine bytes that ask for 4.3 GB": b"\x8e\xff\xff\xff\xff\x00\x00\x00\x00",
    "a byte array of a terabyte": b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00a.",
    "a memo of four billion": b"]r\xff\xff\xff\xff",
    "a number of a million digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "a list in itself": b"]q\x00h\x00a.",
    "a list that doubles thirty times": b"]q\x00" + b"(h\x00h\x00lq\x00" * 30 + b".",
    "deep": b"(" * 200 + b"l" * 200 + b".",
    "a state for a list": b"](K\x01tb.",
    "no array": b"cnumpy\nndarray\n.",
    "an array without values": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR.",
    "a call of numpy.ndarray": b"cnumpy\nndarray\n((K\x02ttR.",
}


@pytest.mark.parametrize("what", list(HOSTILE))
def test_what_is_no_plain_array_is_an_error(what: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.pkl: (this pickle asks for|damaged, or not a pickle)"):
        load(written(tmp_path / "a.pkl", HOSTILE[what]))


def test_bytes_that_are_used_again_and_again_take_no_memory(tmp_path: Path) -> None:
    head, state = Python2.content[:-1].split(b"(K\x01K\x02\x85", 1)
    big = b"B" + (2**20).to_bytes(4, "little") + bytes(2**20) + b"q\x05"
    again = head + b"(K\x01J" + (2**18).to_bytes(4, "little") + b"\x85" + state.split(b"U\x08")[0] + b"h\x05tb"
    with pytest.raises(InputError, match="repeated"):
        load(written(tmp_path / "a.pkl", b"\x80\x02(" + big + again.replace(b"\x80\x02", b"") * 400 + b"l."))


def test_arrays_with_exchanged_axes_are_read(tmp_path: Path) -> None:
    made = np.arange(24, dtype="f4").reshape(2, 3, 4).transpose(1, 2, 0)  # numpy 2 writes their axes' order
    assert np.array_equal(load(written(tmp_path / "a.pkl", pickle.dumps(made, 5))), made)


def test_pairs_and_nothing_may_be_keys(tmp_path: Path) -> None:
    made = {(1, "a"): 2, None: 3}
    assert load(written(tmp_path / "a.pkl", pickle.dumps(made))) == made


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_bytes_of_both_kinds_are_read(protocol: int, tmp_path: Path) -> None:
    made = [b"", b"a\xff", bytearray(), bytearray(b"a\xff")]
    assert load(written(tmp_path / "a.pkl", pickle.dumps(made, protocol))) == made


def test_a_truth_value_of_another_byte_is_true(tmp_path: Path) -> None:
    content = pickle.dumps(np.array([True, False])).replace(b"\x01\x00\x94t", b"\x07\x00\x94t")
    assert load(written(tmp_path / "a.pkl", content)).view(np.uint8).tolist() == [1, 0]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pkl")
    with pytest.raises(InputError, match="not an ordinary file"):
        load(tmp_path / "a.pkl")


LISTS = b"]q\x00" + b"(h\x00h\x00lq\x00" * 60  # the part 0 is a list of two lists of two lists ...
TUPLES = b")q\x00" + b"h\x00h\x00\x86q\x00" * 60
TEXT = b"X" + (2**20).to_bytes(4, "little") + b"a" * 2**20 + b"q\x000"
ENCODE = b"c_codecs\nencode\n"
BOMBS = {
    "a name of lists": LISTS + b"h\x00\x8c\x01a\x93.",
    "a key of tuples": TUPLES + b"}h\x00Ns.",
    "keys of tuples": TUPLES + b"}(h\x00Nu.",
    "a dict of tuples": TUPLES + b"(h\x00Nd.",
    "a pair of tuples": TUPLES + b"ccollections\nOrderedDict\n](h\x00NeR.",
    "a type of tuples": TUPLES + b"cnumpy\ndtype\nh\x00\x85R.",
    "an encoding of lists": LISTS + ENCODE + b"\x8c\x01ah\x00\x86R.",
    "a text encoded again and again": TEXT + b"(" + (ENCODE + b"h\x00\x8c\x06latin1\x86R") * 3000 + b"l.",
    "pairs made a dict again and again": b"("
    + b"K\x01N\x86" * 100_000
    + b"lq\x00("
    + b"ccollections\nOrderedDict\nh\x00\x85R" * 3000
    + b"l.",
    "a long key compared again and again": TEXT
    + TEXT.replace(b"q\x000", b"q\x010")
    + b"}(h\x00N"
    + b"h\x01N" * 200_000
    + b"u.",
    "texts in a list of numbers": b"}K\x01(" + TEXT[:-1] + b"K\x01" * 3000 + b"ls.",
}
EACH = """
import resource, signal, sys
from pathlib import Path
from showtell.plumbing.errors import InputError
from showtell.regions.readers import open_features

resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
for path in sorted(Path(sys.argv[1]).glob("*.pkl")):
    print(path.stem, flush=True)
    signal.alarm(10)  # which ends the process
    try:
        open_features(path)
        sys.exit("no error")
    except InputError as error:
        if "MemoryError" in str(error):
            sys.exit("all memory")
"""


@pytest.mark.slow
def test_what_repeats_its_parts_takes_neither_memory_nor_time(tmp_path: Path) -> None:
    for what, content in BOMBS.items():
        written(tmp_path / f"{what}.pkl", b"\x80\x02" + content)
    done = subprocess.run([sys.executable, "-c", EACH, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1:]}: {done.stderr[-500:]}"


def test_the_key_of_the_file_is_said_if_there_is_one(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pkl", b"no pickle")
    with pytest.raises(InputError, match=rf"^regions\.file={path}: "):
        load(path, "regions.file")


FUZZ = """
import pickle, random, resource, sys
from pathlib import Path
import numpy as np
from showtell.plumbing.errors import InputError
from showtell.plumbing.pickles import load

first, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
made = [
    {f"{n}.jpg": {"features": np.ones((2, 3), "f4") * n, "boxes": np.ones((2, 4))} for n in range(3)},
    [np.arange(5), np.float64(2.5), "text", (1, None)],
    np.asfortranarray(np.ones((3, 2), ">i2")),
]
whole = [pickle.dumps(each, protocol) for each in made for protocol in range(6)]
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for seed in range(first, first + count):
    draw = random.Random(seed)
    content = bytearray(draw.choice(whole))
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    if draw.random() < 0.3:
        del content[draw.randrange(len(content)) :]
    path = folder / "fuzz.pkl"
    path.write_bytes(content)
    print(seed, flush=True)
    try:
        load(path)
    except InputError:
        pass
"""


def fuzz(first: int, count: int, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, str(first), str(count), str(folder)], capture_output=True, text=True, timeout=500
    )
    last = done.stdout.split()[-1:]
    assert done.returncode == 0, f"seed {last}: {done.stderr[-500:]}"


@pytest.mark.slow
def test_flipped_bits_are_read_or_an_error(tmp_path: Path) -> None:
    fuzz(0, 500, tmp_path)


@pytest.mark.slow
def test_many_flipped_bits_are_read_or_an_error(tmp_path: Path) -> None:
    fuzz(500, 10_000, tmp_path)
