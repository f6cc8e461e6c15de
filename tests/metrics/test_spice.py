"""The bridge to SPICE: a small program stands in for Java, since no package holds what the real one needs."""

import json
import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from showtell.metrics import METRICS, spice
from showtell.metrics.score import score
from showtell.plumbing.errors import InputError

SAID = {"a.jpg": "A dog runs.", "b.jpg": "", "c.jpg": "two cars"}
KNOWN = {"a.jpg": ["The dog runs", "a dog"], "b.jpg": [""], "c.jpg": ["Red cars."]}
ANSWER = {0: {"All": {"pr": 0.5, "re": 1.0, "f": 0.6667}}, 1: {"All": {"f": None}}, 2: {"All": {"f": 0.25}}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where pycocoevalcap would have it, with CoreNLP beside; empty files will do."""
    place = tmp_path / "pycocoevalcap/spice"
    for name in (spice.JAR, *spice.CORE_NLP):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    monkeypatch.setattr(spice, "spice_folder", lambda: place)
    return place


@pytest.fixture
def java(folder, tmp_path, monkeypatch):
    """Write what `java` does: Python that sees `words`, what it was called with, and `place`, where its output goes."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()

    def write(body):
        program = tmp_path / "java"
        begin = "import json, os, sys\nwords = sys.argv[1:]\nplace = words[words.index('-out') + 1]\n"
        program.write_text(f"#!{sys.executable}\n{begin}{body}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return tmp_path

    return write


def answering(content, note):
    return (
        f"asked = json.load(open(words[3]))\njson.dump([words, asked, os.getcwd()], open({str(note)!r}, 'w'))\n"
        f"open(place, 'w').write({json.dumps(content)!r})"
    )


def entries(answer):
    return [{"image_id": row, "scores": scores} for row, scores in answer.items()]


def test_the_f_scores_of_its_answer_are_the_metrics_values(java, folder, tmp_path):
    java(answering(entries(ANSWER)[::-1], tmp_path / "note.json"))
    found = score(SAID, KNOWN, "SPICE")["SPICE"]
    assert found.per_image == {"a.jpg": 0.6667, "b.jpg": 0.0, "c.jpg": 0.25}
    assert found.value == pytest.approx((0.6667 + 0.25) / 3)
    assert found.signature.startswith("SPICE|showtell ") and "|SPICE 1.0 in Java" in found.signature
    words, asked, where = json.loads((tmp_path / "note.json").read_text())
    assert words[:3] == ["-Xmx8G", "-jar", str(folder / "spice-1.0.jar")]
    assert words[4] == "-out" and words[6:] == ["-subset", "-silent"]
    assert Path(where).samefile(folder)
    assert asked[0] == {"image_id": 0, "test": "a dog runs", "refs": ["the dog runs", "a dog"]}
    assert [entry["image_id"] for entry in asked] == [0, 1, 2]


def test_nothing_of_it_stays_on_the_disk(java, tmp_path):
    java(answering(entries(ANSWER), tmp_path / "note.json"))
    score(SAID, KNOWN, "SPICE")
    java("sys.exit(3)")
    with pytest.raises(InputError):
        score(SAID, KNOWN, "SPICE")
    assert not list((tmp_path / "scratch").iterdir())


def refused(name="SPICE"):
    with pytest.raises(InputError) as error:
        score(SAID, KNOWN, name)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_failing_program_is_one_line_and_says_its_cause(java):
    trace = "Exception in thread main java.lang.Error: parse\\n\\tat a.B\\nCaused by: no memory\\n\\t... 3 more\\n"
    java(f"sys.stderr.write('{trace}')\nsys.exit(1)")
    assert refused() == "SPICE's Java program failed with exit code 1: Caused by: no memory"
    java("sys.exit(2)")
    assert refused() == "SPICE's Java program failed with exit code 2: no message"


@pytest.mark.parametrize(
    "content", [[], {"a": 1}, [{"image_id": 0}], entries(ANSWER)[:2], [{"image_id": 0, "scores": {"All": {"f": "x"}}}]]
)
def test_an_answer_without_every_score_is_told(java, tmp_path, content):
    java(answering(content, tmp_path / "note.json"))
    assert "its scores cannot be read (" in refused()


def test_no_answer_at_all_is_told(java):
    java("pass")
    assert "its scores cannot be read (InputError" in refused()


def test_what_is_not_a_number_counts_nothing(java, tmp_path):
    nan = {row: {"All": {"f": float("nan")}} for row in range(3)}
    java(answering(entries(nan), tmp_path / "note.json"))
    assert score(SAID, KNOWN, "SPICE")["SPICE"].value == 0


def test_without_corenlp_it_says_what_to_fetch_and_how(folder):
    (folder / "lib/stanford-corenlp-3.6.0-models.jar").unlink()
    told = refused()
    assert told.startswith(
        f"SPICE needs Stanford CoreNLP 3.6.0, but {folder} has no lib/stanford-corenlp-3.6.0-models."
    )
    assert "run `python get_stanford_models.py` in that folder" in told


def test_without_pycocoevalcap_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(spice, "find_spec", lambda name: None)
    told = refused()
    assert told.startswith("SPICE needs pycocoevalcap; ") and "pip install 'showtell[meteor]'" in told
    assert f"SPICE {METRICS['SPICE'].missing(None)}" == told


def test_without_java_it_says_so(folder, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert refused() == "SPICE needs Java, but there is no `java` on the PATH; install Java"
