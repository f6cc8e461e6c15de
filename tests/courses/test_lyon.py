"""Lyon: the tutorial's files, flags and checkpoints, from create_input_files.py to caption.py."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from showtell.data.hdf5 import create_input_files, hdf5
from showtell.data.images import open_image
from showtell.plumbing.errors import InputError
from showtell.recipe.check import load_recipe
from showtell.tokenizers.word_map import WordMap
from tests.courses.places import run, write_karpathy

h5py = pytest.importorskip("h5py")
BASE = "flickr8k_5_cap_per_img_5_min_word_freq"
TINY = ["encoder=cnn", "encoder.image_size=32", "encoder.grid_size=4", "encoder.width=8", "encoder.dim=24"]
pytestmark = pytest.mark.slow  # scripts as processes of their own
SIZES = ["--emb_dim=7", "--attention_dim=6", "--decoder_dim=9", "--batch_size=19"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A student's folder: the prepared files, and a training of two epochs."""
    root = tmp_path_factory.mktemp("lyon")
    write_karpathy(root)
    words = ["--karpathy_json_path=small.json", "--image_folder", "images", "--max_len", "30"]
    done = run("lyon", "create_input_files.py", *words, at=root)
    assert done.returncode == 0, done.stderr
    done = run("lyon", "train.py", *SIZES, "--epochs=2", *TINY, at=root)
    assert done.returncode == 0, done.stderr
    return root


def content(root: Path, name: str):
    return json.loads((root / f"data/{name}_{BASE}.json").read_text())


def test_the_files_are_those_of_the_tutorial(place):
    entries = json.loads((place / "small.json").read_text())["images"]
    counts = Counter(word for entry in entries for each in entry["sentences"] for word in each["tokens"])
    kept = [word for word, count in counts.items() if count > 5]
    special = {"<unk>": len(kept) + 1, "<start>": len(kept) + 2, "<end>": len(kept) + 3, "<pad>": 0}
    ids = content(place, "WORDMAP")
    assert ids == {word: n for n, word in enumerate(kept, start=1)} | special
    chance = random.Random(123)
    for split in ("TRAIN", "VAL", "TEST"):
        chosen = [entry for entry in entries if entry["split"] == split.lower()]
        captions, lengths = content(place, f"{split}_CAPTIONS"), content(place, f"{split}_CAPLENS")
        rows = []
        for entry in chosen:
            words = [each["tokens"] for each in entry["sentences"]]
            few = len(words) < 5
            rows += words + [chance.choice(words) for _ in range(5 - len(words))] if few else chance.sample(words, k=5)
        assert lengths == [len(words) + 2 for words in rows]
        for words, row in zip(rows, captions, strict=True):
            known = [ids.get(word, ids["<unk>"]) for word in words]
            assert row == [ids["<start>"], *known, ids["<end>"]] + [0] * (30 - len(words))
        with h5py.File(place / f"data/{split}_IMAGES_{BASE}.hdf5") as file:
            assert file["images"].shape == (len(chosen), 3, 256, 256) and file["images"].dtype == np.uint8
            assert file.attrs["captions_per_image"] == 5


def test_the_data_are_read_with_the_ids_that_were_written(place):
    records = hdf5(root=place / "data")
    assert Counter(record.split for record in records) == {"train": 24, "val": 6, "test": 6}
    words = WordMap(file=str(place / f"data/WORDMAP_{BASE}.json"))
    rows = iter(zip(content(place, "TRAIN_CAPTIONS"), content(place, "TRAIN_CAPLENS"), strict=True))
    for record in records[:24]:
        for text in record.references:
            row, length = next(rows)
            assert [*words.special.begin, *words.encode(text), words.special.eos] == row[:length]
    with h5py.File(place / f"data/TRAIN_IMAGES_{BASE}.hdf5") as file:
        assert np.array_equal(np.asarray(open_image(records[3].path)).transpose(2, 0, 1), file["images"][3])


def test_long_captions_are_skipped_and_few_ones_repeated(tmp_path):
    path = write_karpathy(tmp_path)
    entries = json.loads(path.read_text())["images"][:2]
    entries[0]["sentences"] = [{"tokens": ["a"] * 4}, {"tokens": ["a", "dog"]}]
    entries[1]["sentences"] = [{"tokens": ["a"] * 9}]
    path.write_text(json.dumps({"images": entries}))
    base = create_input_files("x", path, tmp_path / "images", 3, 0, tmp_path / "out", max_len=3)
    assert base == "x_3_cap_per_img_0_min_word_freq"
    assert [r.references for r in hdf5(root=tmp_path / "out")] == [("a dog",) * 3]


def test_checkpoints_have_the_tutorials_keys_and_only_plain_values(place):
    for name in ("checkpoint", "BEST_checkpoint"):
        saved = torch.load(place / f"{name}_{BASE}.pth.tar", weights_only=True)
        names = "epoch epochs_since_improvement bleu-4 encoder decoder encoder_optimizer decoder_optimizer"
        assert saved.keys() >= {*names.split()} and 0 <= saved["bleu-4"] <= 1
        assert all(isinstance(tensor, torch.Tensor) for tensor in saved["decoder"].values())
    assert torch.load(place / f"checkpoint_{BASE}.pth.tar", weights_only=True)["epoch"] == 1


def test_a_checkpoint_is_trained_further(place):
    done = run("lyon", "train.py", "--epochs=3", f"--checkpoint=checkpoint_{BASE}.pth.tar", at=place)
    assert done.returncode == 0, done.stderr
    assert torch.load(place / f"checkpoint_{BASE}.pth.tar", weights_only=True)["epoch"] == 2


def test_flags_beside_a_checkpoint_begin_a_next_stage_anywhere(place, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(place, moved)
    (moved / "data").rename(tmp_path / "aside")  # the data stay where they were; only the student's files moved
    file = f"checkpoint_{BASE}.pth.tar"
    begun = torch.load(moved / file, weights_only=True)
    flags = ["--data_folder", str(place / "data"), "--decoder_lr=0.001", "--dropout=0.3"]
    done = run("lyon", "train.py", f"--epochs={begun['epoch'] + 2}", f"--checkpoint={file}", *flags, at=moved)
    assert done.returncode == 0, done.stderr
    after = torch.load(moved / file, weights_only=True)
    assert after["recipe"]["train"]["lr"] == 0.001 and after["epoch"] == begun["epoch"] + 1
    assert after["recipe"]["train"]["batch_size"] == begun["recipe"]["train"]["batch_size"]
    done = run("lyon", "train.py", f"--epochs={begun['epoch'] + 3}", f"--checkpoint={file}", at=moved)
    assert done.returncode == 0, done.stderr
    assert torch.load(moved / file, weights_only=True)["epoch"] == begun["epoch"] + 2


@pytest.mark.parametrize("words", [["-b", "2"], ["--beam_size=3", "--dont_smooth"]])
def test_caption_prints_the_caption_last_and_leaves_a_picture(place, words):
    photo = next((place / "images").iterdir())
    files = ["-i", str(photo), "-m", f"BEST_checkpoint_{BASE}.pth.tar", "-wm", f"data/WORDMAP_{BASE}.json"]
    done = run("lyon", "caption.py", *files, *words, at=place)
    assert done.returncode == 0, done.stderr
    known = content(place, "WORDMAP")
    last = done.stdout.splitlines()[-1].split()
    assert last and all(word in known for word in last)
    assert (place / f"{photo.stem}_attention.png").read_bytes().startswith(b"\x89PNG")


def test_eval_prints_bleu_of_the_test_photos(place):
    done = run("lyon", "eval.py", "-m", f"BEST_checkpoint_{BASE}.pth.tar", "-b", "2", at=place)
    assert done.returncode == 0 and "BLEU-4 score @ beam size of 2 is" in done.stdout, done.stderr


def test_a_users_mistakes_are_one_line(place, tmp_path):
    torch.save({"encoder": torch.nn.Linear(2, 2)}, tmp_path / "theirs.pth.tar")
    photo, words = str(next((place / "images").iterdir())), f"data/WORDMAP_{BASE}.json"
    lines = [
        (["caption.py", "-i", photo, "-m", str(tmp_path / "theirs.pth.tar"), "-wm", words], "pickle"),
        (["caption.py", "-i", photo, "-m", "none", "-wm", words], "does not exist"),
        (["caption.py", "-i", "none.jpg", "-m", f"BEST_checkpoint_{BASE}.pth.tar", "-wm", words], "none.jpg"),
        (["train.py", "--data_folder=nowhere", *TINY], "nowhere"),
        (["train.py", "--epochs=1", f"--checkpoint=checkpoint_{BASE}.pth.tar"], "--epochs"),
        (["create_input_files.py", "--karpathy_json_path=none.json", "--image_folder=images"], "none.json"),
    ]
    for line, expected in lines:
        done = run("lyon", *line, at=place)
        assert done.returncode == 2 and expected in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_the_defaults_are_the_tutorials(place, tmp_path):
    done = run("lyon", "train.py", "--help", at=tmp_path)
    flags = "data_folder data_name emb_dim attention_dim decoder_dim dropout start_epoch epochs batch_size workers"
    flags += " encoder_lr decoder_lr grad_clip alpha_c print_freq fine_tune_encoder checkpoint"
    assert all(f"--{flag}" in done.stdout for flag in flags.split())


def test_a_damaged_set_is_named(place, tmp_path):
    for path in (place / "data").iterdir():
        (tmp_path / path.name).symlink_to(path)
    broken = tmp_path / f"TRAIN_CAPTIONS_{BASE}.json"
    broken.unlink()
    broken.write_text("[[1, 2]]")
    with pytest.raises(InputError, match="24 photos"):
        hdf5(root=tmp_path)
    with pytest.raises(InputError, match="TRAIN_IMAGES"):
        hdf5(root=tmp_path, base="other") if (tmp_path / "WORDMAP_other.json").write_text('{"<pad>": 0}') else None


def test_a_map_of_words_must_number_them_all(tmp_path):
    (tmp_path / "map.json").write_text('{"a": 7, "<pad>": 0, "<unk>": 1, "<start>": 2, "<end>": 3}')
    with pytest.raises(InputError, match="from 0"):
        WordMap(file=str(tmp_path / "map.json"))
    with pytest.raises(InputError, match=r"tokenizer\.file"):
        WordMap(file=str(tmp_path / "none.json"))


def test_gradients_are_cut_by_value_or_scaled_by_norm():
    from showtell.recipe.fixed import Train
    from showtell.training.optimizer import clip

    for way, expected in (("value", [3.0, -5.0]), ("norm", [15 / 153**0.5, -60 / 153**0.5])):
        weight = torch.nn.Parameter(torch.zeros(2))
        weight.grad = torch.tensor([3.0, -12.0])
        assert float(clip([weight], Train(clip=5, clip_by=way))) == pytest.approx(153**0.5)
        assert weight.grad.tolist() == pytest.approx(expected)


def test_the_rate_falls_with_each_plateau():
    from showtell.recipe.fixed import Train
    from showtell.training.optimizer import learning_rate

    settings = Train(schedule="plateau", gamma=0.8, warmup_steps=0, lr=1.0)
    assert [learning_rate(settings, 9, 99, 3, lowered) for lowered in (0, 1, 2)] == pytest.approx([1, 0.8, 0.64])
    assert load_recipe("lyon", ["train.schedule=plateau"])["train"]["plateau"] == 8
