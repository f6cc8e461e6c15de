"""`showtell report` writes its files whole, and never over somebody's work."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from showtell.cli import app
from showtell.plumbing.errors import InputError
from showtell.report.runs import pdf as pdf_room
from showtell.report.runs import write
from showtell.report.runs.looks import look_at_middle
from showtell.report.runs.read import read_runs
from showtell.report.runs.write import NOTEBOOK, PAGE, SECOND, check_home, report_runs
from tests.report.test_page import Reader


@pytest.fixture(scope="module")
def report(scored, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "deep" / "report"
    report_runs(scored.all, out, with_figures=True, maps=["none"])
    return out


def test_a_report_is_a_page_and_a_notebook(report):
    assert {path.name for path in report.iterdir()} == {PAGE, NOTEBOOK, "report.json", "figures"}
    page = Reader((report / PAGE).read_text("utf-8"))
    for title in ("The runs side by side", "Scores", "What scores hide", "Training", "Where the runs disagree most"):
        assert title in page.text
    numbers = json.loads((report / "report.json").read_text())
    assert numbers["best"] == "human" and "CIDEr-D" in numbers["metrics"]


def test_nothing_of_the_page_lies_elsewhere(report):
    page = Reader((report / PAGE).read_text("utf-8"))
    for _, attributes in page.tags:
        for name in ("src", "srcset", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ") and "script-src 'sha256-" in policy
    assert (report / PAGE).stat().st_size < 10_000_000


def test_every_figure_is_there_as_pixels_and_as_vectors(report):
    names = {path.stem for path in (report / "figures").iterdir()}
    assert {"scores", "differences", "curves-loss", "curves-CIDEr-D"} <= names
    assert any(name.startswith("captions-") for name in names)
    for name in names:
        assert (report / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (report / "figures" / f"{name}.svg").read_bytes()[:1000]


def test_maps_are_figures_too(found, looks):
    names = [name for name, _ in write._drawn(found, looks)]
    assert len(set(names)) == len(names) and sum(name.startswith("maps-frozen-") for name in names) == len(looks)


@pytest.mark.slow
def test_runs_of_the_same_name_have_their_paths_as_names(scored, tmp_path):
    for home in ("a", "b"):
        shutil.copytree(scored.frozen, tmp_path / home / "run")
    found = read_runs([tmp_path / "a" / "run", tmp_path / "b" / "run"], resamples=10)
    assert found.names == [str(tmp_path / "a" / "run"), str(tmp_path / "b" / "run")]
    names = [name for name, _ in write._drawn(found, look_at_middle(found, None)[:1])]
    assert len(set(names)) == len(names) and not any("/" in name for name in names)


@pytest.mark.slow
def test_photos_that_a_run_lacks_are_skipped_and_counted(scored, tmp_path):
    few = shutil.copytree(scored.human, tmp_path / "few")
    captions = json.loads((few / "captions-val.json").read_text("utf-8"))
    lost = next(iter(captions))
    (few / "captions-val.json").write_text(json.dumps({i: text for i, text in captions.items() if i != lost}))
    report_runs([scored.trained, few], tmp_path / "out", maps=["none"])
    text = Reader((tmp_path / "out" / PAGE).read_text("utf-8")).text
    assert "skipped 1 photo: 1 without a caption of few" in text and "the same 5 photos" in text


@pytest.mark.slow
def test_a_report_replaces_an_earlier_one(scored, tmp_path):
    report_runs([scored.frozen], tmp_path / "out", maps=["none"])
    before = (tmp_path / "out" / PAGE).read_text("utf-8")
    written = report_runs([scored.trained], tmp_path / "out", maps=["none"])
    assert written == [tmp_path / "out" / PAGE, tmp_path / "out" / NOTEBOOK]
    assert (tmp_path / "out" / PAGE).read_text("utf-8") != before


@pytest.mark.slow
def test_an_edited_notebook_is_kept(scored, tmp_path):
    out = tmp_path / "out"
    report_runs([scored.frozen], out, maps=["none"])
    (out / NOTEBOOK).write_text("my own words")
    for _ in range(2):
        assert report_runs([scored.frozen], out, maps=["none"])[1] == out / SECOND
        assert (out / NOTEBOOK).read_text() == "my own words"
    assert json.loads((out / SECOND).read_text("utf-8"))["nbformat"] == 4


@pytest.mark.parametrize("name", ["model.safetensors", "thesis.tex", PAGE])
def test_a_folder_with_other_files_is_refused_and_stays(scored, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"holds other files \\({name}\\); name a new folder"):
        report_runs([scored.frozen], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="is not a folder"):
        check_home(tmp_path / "out")


def test_without_typst_the_pdf_is_refused_before_any_work(scored, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf_room, "find_spec", lambda name: None)
    monkeypatch.setattr(write, "read_runs", lambda *args, **kwargs: pytest.fail("work began"))
    with pytest.raises(InputError, match=r"--pdf needs typst.*showtell\[pdf\]"):
        report_runs([scored.frozen], tmp_path / "out", with_pdf=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_says_what_it_wrote(scored, tmp_path):
    words = ["report", str(scored.frozen), str(scored.trained), "--out", str(tmp_path / "out"), "--maps", "none"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert f"written: {tmp_path / 'out' / PAGE}" in result.output.replace("\n", "")


def test_a_mistake_is_one_line(tmp_path):
    result = CliRunner().invoke(app, ["report", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, InputError) and "does not exist" in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_photos_of_a_folder_and_an_unreadable_one_stand_on_the_page(scored, found, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    source = found.comparison.photos[found.image_ids[0]]
    (photos / source.name).write_bytes(source.read_bytes())
    (photos / "broken.png").write_bytes(b"")
    report_runs([scored.trained], tmp_path / "out", photos=photos, maps=["none"])
    text = Reader((tmp_path / "out" / PAGE).read_text("utf-8")).text
    assert f"Captions of the photos in {photos}" in text and "broken.png cannot be read" in text
