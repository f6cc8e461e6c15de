"""Bern: train.py and evaluate.py do what the course's do; the models work in a frame such as the hand-out's."""

import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from showtell.metrics.bleu_nltk import bleu_of_ids
from showtell.tokenizers.bern import split
from tests.courses.places import COURSES, run, write_bern

SIZES = {1: {"embedding_dim": 12, "num_layers": 2}, 6: {"embedding_dim": 16, "num_layers": 1, "heads": 2}}
CNN = {"name": "cnn", "image_size": 32, "grid_size": 4, "width": 8, "dim": 24}
TRAIN = "train.py", "-d", "0"
pytestmark = pytest.mark.slow  # scripts as processes of their own


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A student's folder with flickr8k/ and two configs, trained for an epoch each."""
    root = tmp_path_factory.mktemp("bern")
    write_bern(root / "flickr8k")
    for number, parameters in SIZES.items():
        write_config(root, number, parameters)
        done = train(root, number, "--num-epochs=1")
        assert done.returncode == 0, done.stderr
    return root


def write_config(root: Path, number: int, parameters: dict) -> None:
    config = yaml.safe_load((COURSES / f"bern/configs/config_model_{number}.yaml").read_text())
    config["model"]["parameters"] = parameters | {"encoder": CNN}
    config["data"]["train"]["batch_size"] = 19
    config["training"] = {"ignored": "as in the hand-out"}
    (root / f"config_{number}.yaml").write_text(yaml.safe_dump(config))


def train(root: Path, number: int, *words: str):
    name = (f"--config-file-path=config_{number}.yaml", f"--experiment-name=model_{number}")
    return run("bern", *TRAIN, *name, "--seed", "0", *words, at=root)


def read(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def test_a_training_leaves_the_files_of_the_course(place):
    folder = place / "checkpoints/model_6"
    assert sorted(path.name for path in folder.iterdir() if path.name != "bleu_scores.txt") == [
        "config.yaml",
        "model.pth.tar",
    ]
    assert (folder / "config.yaml").read_bytes() == (place / "config_6.yaml").read_bytes()
    content = read(folder / "model.pth.tar")
    assert content.keys() >= {"epoch", "model_config", "model_state_dict", "optimizer_state_dict"}
    assert content["epoch"] == 1 and content["model_config"]["name"] == "model_6"
    assert content["model_config"]["parameters"] == SIZES[6] | {"encoder": CNN}
    lines = (place / "logs/model_6/train.csv").read_text().splitlines()
    assert lines[0] == "epoch,train/cross_entropy_loss" and lines[1].startswith("1,")


def test_resuming_makes_further_epochs_and_goes_on_with_adams_steps(place):
    """In a copy elsewhere, with photos of its own."""
    shutil.copytree(place, copy := place.parent / "resumed")
    before = read(copy / "checkpoints/model_1/model.pth.tar")["optimizer_state_dict"]["state"][0]["step"]
    done = run("bern", *TRAIN, "--experiment-name=model_1", "--num-epochs=2", "--resume", "--no-log", at=copy)
    assert done.returncode == 0, done.stderr
    after = read(copy / "checkpoints/model_1/model.pth.tar")
    assert after["epoch"] == 3
    assert after["optimizer_state_dict"]["state"][0]["step"] == 3 * before


def test_without_logs_there_is_no_folder_of_logs(place, tmp_path):
    shutil.copytree(place / "flickr8k", tmp_path / "flickr8k", symlinks=True)
    shutil.copy(place / "config_1.yaml", tmp_path)
    done = train(tmp_path, 1, "--num-epochs=1", "--no-log", "train.max_steps=1", "decoder.dropout=0.25")
    assert done.returncode == 0 and not (tmp_path / "logs").exists()
    parameters = read(tmp_path / "checkpoints/model_1/model.pth.tar")["model_config"]["parameters"]
    assert parameters["dropout"] == 0.25


def test_the_notebook_for_colab_runs_from_top_to_bottom(place, tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    shutil.copytree(COURSES / "bern", tmp_path / "mine", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "mine/flickr8k").symlink_to(place / "flickr8k")
    monkeypatch.setenv("PYTHONPATH", str(COURSES.parent))
    monkeypatch.setenv("BERN_OPTIONS", "encoder=cnn encoder.image_size=32 encoder.grid_size=4 train.max_steps=1")
    book = nbformat.read(tmp_path / "mine/colab_run.ipynb", as_version=4)
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": tmp_path / "mine"}}).execute()
    said = "".join(output["text"] for output in book.cells[-1]["outputs"])
    assert "BLEU_4 " in said and (tmp_path / "mine/checkpoints/model_1/bleu_scores.txt").is_file()


@pytest.mark.parametrize("number", SIZES)
def test_the_bleu_of_evaluate_is_that_of_a_frame_such_as_the_hand_outs(place, number):
    path = f"checkpoints/model_{number}/model.pth.tar"
    done = run("bern", "evaluate.py", "-d", "0", "--checkpoint-path", path, at=place)
    assert done.returncode == 0, done.stderr
    written = (place / path).with_name("bleu_scores.txt").read_text()
    assert done.stdout == written
    names, values = zip(*(line.split(" ") for line in written.splitlines()), strict=True)
    assert names == ("BLEU_1", "BLEU_2", "BLEU_3", "BLEU_4")
    assert [float(value) for value in values] == pytest.approx(list(frames(place, number).values()), abs=1e-9)


def frames(place: Path, number: int) -> dict[int, float]:
    """The hand-out's way: strict weights, eval, one photo at a time; references go through the vocabulary."""
    words = of_bern("report_utils.vocabulary").Vocabulary(str(place / "flickr8k/vocabulary_captions.txt"))
    content = read(place / f"checkpoints/model_{number}/model.pth.tar")
    model = of_bern(f"models.model_{number}").Model(vocabulary=words, **content["model_config"]["parameters"])
    model.load_state_dict(content["model_state_dict"])
    model.eval()
    references: dict[str, list[list[int]]] = {}
    for line in (place / "flickr8k/val_captions.txt").read_text().splitlines()[1:]:
        name, text = line.split(",", 1)
        references.setdefault(name, []).append(
            [words.to_index(w) for w in words.to_tokens(words.to_indices(text), True)]
        )
    normalised = of_bern("report_utils.pixels").normalised
    said = [
        model.generate_image_caption_tokens(image=normalised(place / "flickr8k/val_images" / name))
        for name in references
    ]
    return bleu_of_ids([[words.to_index(word) for word in each] for each in said], list(references.values()))


def of_bern(name: str):
    """A module of courses/bern."""
    sys.path.insert(0, str(COURSES / "bern"))
    try:
        return import_module(name)
    finally:
        sys.path.pop(0)


class Words:
    """A vocabulary such as the hand-out's."""

    pad_token, sos_token, eos_token = "<PAD>", "<SOS>", "<EOS>"
    words = ("<PAD>", "<SOS>", "<EOS>", "<UNK>", "a", "dog", "runs")

    def __len__(self):
        return len(self.words)

    def to_index(self, token):
        return self.words.index(token)

    def to_tokens(self, indices, remove_special_tokens=False):
        return [self.words[i] for i in indices if not remove_special_tokens or i not in (0, 1, 2)]


@pytest.mark.parametrize("number", range(1, 7))
def test_every_model_keeps_the_frames_contract(number):
    torch.manual_seed(number)
    extra = {"heads": 2} if number > 4 else {}
    encoder = CNN if number == 1 else {"name": "lite", "image_size": 64}
    model = of_bern(f"models.model_{number}").Model(
        vocabulary=Words(), embedding_dim=12, num_layers=2, encoder=encoder, **extra
    )
    model.freeze()
    optimizer = model.get_optimizer(lr=1e-3)
    image, indices = torch.randn(2, 3, 64, 64), torch.tensor([[1, 4, 5, 6, 2], [1, 4, 5, 2, 0]])
    model.train()
    output = model(image, indices[:, :-1])
    assert output["logits"].shape == (2, 7, 4) and torch.equal(output["indices"], output["logits"].argmax(1))
    torch.nn.CrossEntropyLoss(ignore_index=0)(output["logits"], indices[:, 1:]).backward()
    optimizer.step()
    assert any(p.grad is not None for p in model.image_encoder.parameters()) == (number == 1)
    said = model.generate_image_caption_tokens(image=image[:1], max_length=5)
    assert len(said) <= 5 and all(word in Words.words[4:] for word in said)  # nor <UNK>
    again = type(model)(vocabulary=Words(), embedding_dim=12, num_layers=2, encoder=encoder, **extra)
    again.load_state_dict(model.state_dict())
    assert again.generate_image_caption_tokens(image=image[:1], max_length=5) == said


def test_an_image_of_the_hand_out_becomes_its_bytes_again(monkeypatch):
    path, seen = COURSES.parent / "docs/images/attention.png", []
    model = of_bern("models.model_1").Model(vocabulary=Words(), embedding_dim=12, encoder=CNN)
    inner = model.image_encoder.forward
    monkeypatch.setattr(model.image_encoder, "forward", lambda pixels, view: seen.append(pixels) or inner(pixels, view))
    model.look(of_bern("report_utils.pixels").normalised(path))
    small = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    assert seen[0][0].permute(1, 2, 0).numpy().tobytes() == small.tobytes()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("train.py", ["--experiment-name=x", "--num-epochs=1"]),
        ("train.py", ["-d", "0", "--num-epochs=1"]),
        ("train.py", ["-d", "0", "--experiment-name=x"]),
        ("evaluate.py", ["-d", "0"]),
    ],
)
def test_a_required_argument_that_is_missing_is_named(script, words, tmp_path):
    done = run("bern", script, *words, at=tmp_path)
    assert done.returncode == 2 and "required" in done.stderr


def test_a_users_mistakes_are_one_line(place, tmp_path):
    torch.save({"model_state_dict": torch.nn.Linear(2, 2)}, tmp_path / "code.pth.tar")
    (tmp_path / "config.yaml").write_text("model: {name: model_7, parameters: {}}")
    words = [
        (["evaluate.py", "-d", "0", "--checkpoint-path", str(tmp_path / "code.pth.tar")], "pickle"),
        (["evaluate.py", "-d", "0", "--checkpoint-path", "nowhere"], "does not exist"),
        ([*TRAIN, "--experiment-name=new", "--num-epochs=1"], "configs/config.yaml"),
        ([*TRAIN, "--experiment-name=new", "--num-epochs=1", "--resume"], "--resume"),
        (
            [*TRAIN, "--experiment-name=new", "--num-epochs=1", f"--config-file-path={tmp_path}/config.yaml"],
            "optimizer.lr",
        ),
    ]
    for line, expected in words:
        done = run("bern", *line, at=place)
        assert done.returncode == 2 and expected in done.stderr and "Traceback" not in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A dog runs .", "a dog runs"),
        ("A dog runs", "a dog runs"),
        ("A dog.", "a do"),
        ("A St. Bernard runs", "a s"),
        ('He said " active . "', 'he said " active'),
    ],
)
def test_a_caption_is_cut_before_its_last_period(caption, words):
    assert split(caption) == words.split(" ")
