"""What holds for every course: thin scripts, hand-ins with a list of what is missing, reports that run, the example."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from showtell.plumbing.errors import InputError
from showtell.report.notebook import run_notebook
from tests.courses.places import COURSES, run, write_bern
from tests.pages import blocks

# no scripts: the courses' own functions and classes, by their names
OWN = {"captioning.py", "classifier.py", "cocoSource_xcnnfused.py", "decoder.py"}


def test_the_scripts_are_thin():
    for path in COURSES.rglob("*.py"):
        if path.parent.name != "models" and path.name not in OWN:
            assert len(path.read_text("utf-8").splitlines()) <= 60, path


@pytest.mark.parametrize("course", ["bern", "lyon"])
def test_a_hand_in_lists_all_that_is_missing(course, tmp_path):
    done = run(course, "hand_in.py", at=tmp_path)
    assert done.returncode == 2 and "report.ipynb is missing" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) > 3 and not [*tmp_path.glob("*.zip")]


@pytest.mark.slow
def test_berns_hand_in_has_the_files_that_the_course_names(tmp_path):
    for name in ("models", "configs", "report_utils"):
        shutil.copytree(COURSES / "bern" / name, tmp_path / name)
    notebook = json.loads((COURSES / "bern/report.ipynb").read_text())
    (tmp_path / "report.ipynb").write_text(json.dumps(notebook))
    assert "run report.py" in run("bern", "hand_in.py", at=tmp_path).stderr
    for cell in notebook["cells"]:
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["done"]}]
    (tmp_path / "report.ipynb").write_text(json.dumps(notebook))
    done = run("bern", "hand_in.py", at=tmp_path)
    assert done.returncode == 0 and "no scores of model_1, model_2" in done.stdout
    with zipfile.ZipFile(tmp_path / "submission.zip") as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "teacher")
    alone = [sys.executable, "-c", "from report_utils import photos, scores"]  # what the notebook needs is in the zip
    subprocess.run(alone, cwd=tmp_path / "teacher", env=os.environ | {"PYTHONPATH": str(COURSES.parent)}, check=True)
    wanted = [f"models/model_{n}.py" for n in range(1, 7)] + [f"configs/config_model_{n}.yaml" for n in range(1, 7)]
    assert {*wanted, "report.ipynb", "report_utils/scores.py"} <= {*names}
    assert not [name for name in names if "pycache" in name]


@pytest.mark.slow
def test_a_notebook_runs_in_the_working_folder(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("nbclient")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/helper.py").write_text("words = 'from the folder of the script'")
    cell = nbformat.v4.new_code_cell("from pathlib import Path\nimport helper\nprint(helper.words, Path.cwd().name)")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "home/page.ipynb")
    assert run_notebook("page.ipynb", beside=str(tmp_path / "home/report.py")) == Path("page.ipynb")
    (done,) = json.loads((tmp_path / "page.ipynb").read_text())["cells"]
    assert "".join(done["outputs"][0]["text"]) == f"from the folder of the script {tmp_path.name}\n"
    cell["source"] = "1 / 0"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "wrong.ipynb")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        run_notebook("wrong.ipynb", beside=__file__)


def test_a_notebook_that_does_not_exist_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"page\.ipynb does not exist"):
        run_notebook("page.ipynb", beside=str(tmp_path / "report.py"))


@pytest.mark.slow
def test_the_sixth_course_trains_and_captions(tmp_path):
    write_bern(tmp_path / "set")
    for block in blocks(COURSES / "README.md"):
        assert block.file is not None
        (tmp_path / block.file).write_text(block.text)

    def python(*words: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(COURSES.parent)}
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    small = ["encoder=cnn", "encoder.image_size=32", "encoder.grid_size=4", "encoder.width=8", "train.max_steps=2"]
    python("fit.py", "set/train_images", "set/train_captions.txt", "--rounds", "1", *small)
    photo = next((tmp_path / "set/val_images").iterdir())
    assert python("say.py", str(photo)).startswith(f"{photo.name}: ")
