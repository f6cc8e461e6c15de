"""Oslo's files: per-photo pickles written and read, training and validation of each task, the course's own names."""

import ast
import importlib
import pickle
import re

import pytest
import torch

from showtell.data import DATA
from showtell.data.photo_pickles import read_photo
from showtell.metrics.meteor import missing
from showtell.plumbing.errors import InputError
from tests.course_data import ROOT, TRAIN, VAL, call, write_kharagpur

SIZES = {"embedding_size": 7, "vocabulary_size": 60, "hidden_state_sizes": 9, "truncated_backprop_length": 4}
PARAMS = {"numbOfEpochs": 2, "batch_size": 3}
NEEDS = pytest.mark.skipif(missing() is not None, reason="needs the tables of METEOR")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oslo")
    write_kharagpur(folder / "photos")
    changes = ["encoder=lite", "encoder.image_size=64", "data=csv"]
    done = call("oslo", "make_data.py", "photos", "data/coco", *changes, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def scripts(folder, task):
    """The scripts of a task with small sizes, beside copies of the others."""
    for path in (ROOT / "courses" / "oslo").glob("*.py"):
        text = path.read_text()
        for key, value in (SIZES | PARAMS).items():
            text = re.sub(rf'("{key}": )\d+,', rf"\g<1>{value},", text)
        (folder / path.name).write_text(text)
    return folder / f"train_task{task}.py", folder / f"validate_task{task}.py"


def test_pickles_hold_the_course_keys_and_are_read_without_running_them(folder):
    files = sorted((folder / "data/coco/Train2017_detectron2_lim10maxfeatures").iterdir())
    content = pickle.loads(files[0].read_bytes())
    assert set(content) == {"imgPath", "original_captions", "captions", "captionsAsTokens", "cnn_features"}
    assert content["cnn_features"].shape == (2048,) and len(files) == TRAIN
    assert all(row[0] == 1 and row[-1] == 0 and min(row[1:-1]) > 2 for row in content["captionsAsTokens"])
    boxes = next((folder / "data/coco/Val2017_detectron2_lim10features").iterdir())
    assert read_photo(boxes).features.shape == (10, 2048)

    words = pickle.loads((folder / "data/coco/vocabulary/vocabulary.pickle").read_bytes())
    assert words["vocabulary"][:3] == ["eeee", "ssss", "UNK"] and words["TokenToWord"][2] == "UNK"
    records = DATA["photo_pickles"](root=folder / "data/coco")
    assert [record.split for record in records].count("val") == VAL
    spoken = " ".join(words["TokenToWord"][number] for number in content["captionsAsTokens"][0][1:-1])
    assert next(record for record in records if record.image_id == content["imgPath"]).references == (spoken,)


def test_a_pickle_that_runs_something_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    (tmp_path / "bad.pickle").write_bytes(pickle.dumps({"imgPath": Evil()}))
    with pytest.raises(InputError, match=r"print.*Only numpy arrays"):
        read_photo(tmp_path / "bad.pickle")
    (tmp_path / "less.pickle").write_bytes(pickle.dumps({"imgPath": "a.jpg"}))
    with pytest.raises(InputError, match="original_captions"):
        read_photo(tmp_path / "less.pickle")
    with pytest.raises(InputError, match="Train2017_"):
        DATA["photo_pickles"](root=ROOT / "courses")


@NEEDS
@pytest.mark.slow
@pytest.mark.parametrize("task", [2, 4])
def test_training_leaves_the_course_files_and_validation_scores_them(folder, task, monkeypatch):
    train, validate = scripts(folder, task)
    done = call("oslo", train, cwd=folder)
    assert done.returncode == 0, done.stderr
    line = r"Evaluation results, BLEU-4: \S+, Cider: \S+,  ROUGE: \S+, Meteor: \S+"
    assert len(re.findall(line, done.stdout)) == 2 and "last_epoch1.pt" in done.stdout
    assert (folder / f"loss_images/model_task{task}.png").read_bytes()[:4] == b"\x89PNG"
    (last,) = (folder / f"storedModels_test/model_task{task}").glob("last_epoch1.pt")
    (best,) = (folder / f"storedModels_test/model_task{task}").glob("best_epoch?.pt")
    assert set(torch.load(last, weights_only=True)) == {"epoch", "model_state_dict", "optimizer_state_dict"}

    done = call("oslo", validate, cwd=folder)
    assert done.returncode == 0, done.stderr
    (scored,) = re.findall(line, done.stdout)
    check_by_hand(folder, task, best, float(scored.rpartition(" ")[2]), monkeypatch)


def check_by_hand(folder, task, best, meteor, monkeypatch):
    """The course's network with this checkpoint writes the same numbers."""
    import showtell

    monkeypatch.syspath_prepend(str(folder))
    name = "cocoSource_xcnnfused" + ("_attention" if task == 4 else "")
    config = next(
        ast.literal_eval(node.value)
        for node in ast.parse((folder / f"train_task{task}.py").read_text()).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "config"
    )
    network = importlib.import_module(name).ImageCaptionModel(config).eval()
    network.load_state_dict(torch.load(best, weights_only=True)["model_state_dict"])
    said, known = {}, {}
    for path in (folder / f"data/coco/Val2017_{config['featurepathstub']}").iterdir():
        photo = read_photo(path)
        logits, _ = network(torch.from_numpy(photo.features)[None], torch.tensor([[1]]), False)
        numbers = logits[0].argmax(-1).tolist()
        said[photo.name] = " ".join(map(str, numbers[: numbers.index(0)] if 0 in numbers else numbers))
        known[photo.name] = [" ".join(map(str, row[1:-1])) for row in photo.tokens]
    assert showtell.score(said, known, "METEOR-ids")["scores"]["METEOR-ids"]["value"] == pytest.approx(meteor, abs=1e-9)


@pytest.mark.parametrize(("cell", "layers", "width"), [("RNN", 1, 9), ("GRU", 2, 9), ("LSTM", 3, 18)])
def test_the_course_network_and_our_decoder_are_one(cell, layers, width, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "courses" / "oslo"))
    import cocoSource_xcnnfused as source
    from oslo_names import to_course, to_showtell

    config = SIZES | {"number_of_cnn_features": 5, "num_rnn_layers": layers, "cellType": cell}
    network = source.ImageCaptionModel(config).eval()
    logits, state = network(torch.randn(2, 5), torch.ones(2, 4, dtype=torch.long), True)
    assert logits.shape == (2, 4, 60) and state.shape == (layers, 2, width)
    generated, _ = network(torch.randn(2, 5), torch.ones(2, 4, dtype=torch.long), False, state)
    assert generated.shape == (2, 40, 60)
    kept = network.state_dict()
    back = to_course(1, to_showtell(1, kept, 50), 60)
    assert set(back) == set(kept) and torch.equal(back["rnn.cells.0.weight"], kept["rnn.cells.0.weight"])
    assert torch.equal(back["embedding_layer.weight"][:50], kept["embedding_layer.weight"][:50])
    assert (back["output_layer.bias"][50:] < -100).all()
    total, mean = source.loss_fn(logits, torch.zeros(2, 4, dtype=torch.long), torch.ones(2, 4))
    assert float(total.detach()) == pytest.approx(8 * float(mean.detach()), rel=1e-4)


@pytest.mark.parametrize("task", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["train", "validate"])
def test_start_scripts_hold_their_two_dictionaries_in_full(kind, task):
    text = (ROOT / "courses" / "oslo" / f"{kind}_task{task}.py").read_text()
    assert len(re.findall(r"^data_dir = '[^']*'$", text, re.MULTILINE)) == 1
    held = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert held["modelParam"]["inference"] is (kind == "validate") and held["modelParam"]["numbOfEpochs"]
    assert held["config"]["cellType"] in ("RNN", "GRU", "LSTM")


def test_the_best_file_is_the_one_of_the_highest_epoch(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "courses" / "oslo"))
    from oslo_files import checkpoints

    for name in ("best_epoch9.pt", "best_epoch10.pt", "last_epoch11.pt"):
        (tmp_path / name).touch()
    param = {"modelsDir": f"{tmp_path}/", "modelName": ""}
    assert [path.name for path in checkpoints(param)] == ["last_epoch11.pt", "best_epoch9.pt", "best_epoch10.pt"]
    assert checkpoints(param, "best_epoch")[-1].name == "best_epoch10.pt"


def test_the_simplified_network_takes_one_layer_of_vanilla_cells(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "courses" / "oslo"))
    import cocoSource_xcnnfused as source

    config = SIZES | {"number_of_cnn_features": 5, "num_rnn_layers": 2, "cellType": "GRU", "simplified_rnn": True}
    with pytest.raises(ValueError, match="simplified"):
        source.ImageCaptionModel(config)
