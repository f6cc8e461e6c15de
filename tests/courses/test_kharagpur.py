"""Kharagpur's functions and classes, its notebooks, its hand-in."""

import importlib.util
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from showtell.metrics.meteor import missing
from tests.course_data import ROOT, TRAIN, call, write_kharagpur

HERE = ROOT / "courses" / "kharagpur"
TINY = ("encoder.image_size=64", "decoder.dim=24", "decoder.heads=2", "decode.max_length=9", "decoder.max_length=64")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kharagpur")
    write_kharagpur(folder)
    return folder


@pytest.fixture(scope="module")
def course():
    spec = importlib.util.spec_from_file_location("captioning", HERE / "captioning.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def batches(course, folder):
    dataset = course.ImageCaptioningDataset(folder / "train.csv", folder / "train", 64)
    return DataLoader(dataset, batch_size=2, collate_fn=dataset.collate)


@pytest.fixture
def model(course):
    torch.manual_seed(0)
    return course.ImageCaptionModel(encoder="lite", layers=2, changes=TINY)


def test_a_batch_is_what_forward_takes_and_the_result_is_one_tensor(course, batches, model):
    batch = next(iter(batches))
    logits = model(**batch)
    assert logits.shape == (2, batch["tokens"].shape[1], 50257) and len(batches.dataset) == TRAIN
    assert batch["tokens"][0, 0] == 50256 and not batch["mask"].all()


@pytest.mark.slow
def test_training_lowers_the_loss_and_moves_no_encoder(course, batches, model):
    before = {name: part.clone() for name, part in model.encoder.state_dict().items()}
    trained = [part for part in model.parameters() if part.requires_grad]
    losses = course.fit(model, batches, torch.optim.AdamW(trained, 1e-2), torch.nn.CrossEntropyLoss(), "cpu", 3)
    assert losses[-1] < losses[0]
    optimizer = torch.optim.AdamW(trained, 1e-3)
    assert course.train_model(model, batches, optimizer, torch.nn.CrossEntropyLoss(), "cpu", 1) is None
    assert all(torch.equal(before[name], part) for name, part in model.encoder.state_dict().items())


@pytest.mark.skipif(missing() is not None, reason="needs the tables of METEOR")
def test_scores_are_fractions_also_with_black_patches(course, batches, model):
    scores = course.evaluate_model(model, batches, "cpu")
    occluded = course.evaluate_on_occluded_images(model, batches, "cpu", [10, 50])
    assert list(occluded) == [10, 50]
    for each in (scores, *occluded.values()):
        assert set(each) == {"BLEU", "ROUGE-L", "METEOR"}
        assert all(type(value) is float and 0 <= value <= 1 for value in each.values())


@pytest.mark.parametrize("shape", [(64, 48, 3), (70, 50, 3), (33, 20)])
def test_patches_are_whole_and_the_image_stays(course, shape):
    image = np.full(shape, 200, dtype=np.uint8)
    made = course.occlude_image(image, 50)
    patches = (shape[0] // 16) * (shape[1] // 16)
    assert made.shape == image.shape and made.dtype == image.dtype and (image == 200).all()
    channels = shape[2] if len(shape) == 3 else 1
    assert (made == 0).sum() == int(patches / 2) * 256 * channels
    assert (course.occlude_image(image, 0) == image).all()


@pytest.mark.slow
def test_zero_shot_names_any_captioner(course, folder):
    assert course.zero_shot_captioning(folder / "train" / "train_1.jpg", model_name="tiny")


@pytest.mark.slow
@pytest.mark.parametrize("part", ["a", "b", "c"])
def test_the_notebooks_run_from_top_to_bottom(folder, part, tmp_path):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    if part == "a":
        pytest.importorskip("sentencepiece")
    if part == "b" and missing():
        pytest.skip("needs the tables of METEOR")
    own = {"a": ["tokenizer.vocabulary_size=60", "decoder.dim=8", "decoder.embedding_dim=8"], "b": [*TINY[1:]], "c": []}
    changes = own[part]
    changes += [
        "encoder=lite",
        "encoder.image_size=64",
        "train.max_steps=2",
        "train.select=loss",
        "decode.max_length=9",
    ]
    changes += ["decode.min_length=0"] if part == "a" else ["decoder.layers=2"]
    for name in ("captioning.py", "classifier.py"):
        shutil.copy(HERE / name, tmp_path)
    book = nbformat.read(HERE / f"part_{part}.ipynb", as_version=4)
    given = {"KHARAGPUR_CHANGES": " ".join(changes), "KHARAGPUR_DATA": str(folder), "ZERO_SHOT": "tiny"}
    given |= {"RUN_B": "tiny", "BERT": "random"}
    first = f"import os, sys\nos.environ |= {given!r}\nsys.path[:0] = {sys.path!r}"
    book.cells.insert(0, nbformat.v4.new_code_cell(first))
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    assert (tmp_path / "runs" / part / "scores-test.json").exists() or part != "a"
    if part == "c":
        assert set(eval(book.cells[-2].outputs[-1]["data"]["text/plain"])) == {"Precision", "Recall", "F1"}


def test_the_classifiers_scores_are_macro_and_photos_are_not_shared(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import classifier

    class Says(torch.nn.Module):
        """The word of a text is the answer."""

        def forward(self, input_ids, attention_mask):
            return torch.nn.functional.one_hot(input_ids[:, 0], 2)

    said, truth = torch.tensor([[0], [0], [0], [1]]), torch.tensor([0, 0, 1, 1])
    batch = {"input_ids": said, "attention_mask": torch.ones(4, 1), "labels": truth}
    scores = classifier.evaluate_classifier(Says(), [batch], "cpu")
    assert scores == pytest.approx({"Precision": (2 / 3 + 1) / 2, "Recall": 0.75, "F1": (0.8 + 2 / 3) / 2})
    rows = [{"photo": str(number % 10), "text": "", "label": 0} for number in range(60)]
    parts = [{row["photo"] for row in part} for part in classifier.split_by_photo(rows)]
    assert [len(part) for part in parts] == [7, 1, 2] and len(set.union(*parts)) == 10


@pytest.mark.slow
def test_the_hand_in_lists_what_is_missing_and_packs_what_is_there(tmp_path):
    mine = tmp_path / "mine"
    shutil.copytree(HERE, mine)
    done = call("kharagpur", mine / "hand_in.py", "--id", "7", "--parts", "ab", cwd=tmp_path)
    assert done.returncode == 2 and "team_id_7_a.ipynb is missing" in done.stderr and "no names" in done.stderr
    for part in "ab":
        book = json.loads((mine / f"part_{part}.ipynb").read_text())
        book["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "done"}]
        (mine / f"team_id_7_{part}.ipynb").write_text(json.dumps(book))
    (mine / "team_id_7_report.pdf").write_bytes(b"%PDF /Type /Page\n" * 5)
    (mine / "TEAM.md").write_text("Names: A, B")
    done = call("kharagpur", mine / "hand_in.py", "--id", "7", "--parts", "ab", cwd=tmp_path)
    assert done.returncode == 2 and "5 pages" in done.stderr
    (mine / "team_id_7_report.pdf").write_bytes(b"%PDF /Type /Pages /Type /Page\n")
    done = call("kharagpur", mine / "hand_in.py", "--id", "7", "--parts", "ab", cwd=tmp_path)
    assert done.returncode == 0 and (mine / "team_id_7_project.zip").exists(), done.stderr
