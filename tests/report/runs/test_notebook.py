"""The notebook of a report is valid and runs from top to bottom on the run folders."""

import json

import pytest

from showtell.report.runs.notebook import digest_of, notebook


def code(text: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]


def test_paths_stay_as_they_were_given(found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = code(notebook(found, tmp_path / "deep" / "report", ["data.root=x"], None, None))
    assert "os.chdir(HERE / '../..')" in cells[0] and "overrides=['data.root=x']" in cells[0]
    assert str(found.runs["frozen"].folder) in cells[0] and "split='val'" in cells[0]


def test_every_cell_is_python_and_has_its_own_id(found, tmp_path):
    text = notebook(found, tmp_path, [], None, None)
    ids = [cell["id"] for cell in json.loads(text)["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in code(text):
        compile("\n".join(line for line in cell.splitlines() if not line.startswith("%")), "cell", "exec")


def test_photos_and_maps_are_those_of_the_page(found, tmp_path):
    cells = "\n".join(code(notebook(found, tmp_path, [], tmp_path / "my photos", ["frozen"])))
    assert f"look_at_folder(found, Path('{tmp_path / 'my photos'}'), ['frozen'])" in cells


def test_an_edit_changes_the_digest(found, tmp_path):
    text = notebook(found, tmp_path, [], None, None)
    assert digest_of(text) == digest_of(text) != digest_of(text + " ")


@pytest.mark.slow
def test_it_runs_from_the_top_in_one_go(scored, found, tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="reads notebooks")
    nbclient = pytest.importorskip("nbclient", reason="runs notebooks")
    pytest.importorskip("ipykernel", reason="runs notebooks")
    text = notebook(found, tmp_path, [], None, None)
    book = nbformat.reads(text, as_version=4)
    nbformat.validate(book)
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    tables = [output for output in outputs if "<table>" in output.get("data", {}).get("text/html", "")]
    assert len(pictures) > 10 and len(tables) >= 4
