"""A zip for a course is refused with a list of all that is wrong."""

import zipfile

import pytest

from showtell.coursework.hand_in import forbidden, missing, pages, write_zip
from showtell.plumbing.errors import InputError


def test_all_faults_are_listed_and_nothing_is_written(tmp_path):
    (tmp_path / "run.sh").write_text("python3 a.py\ncd /tmp\n# scp is no cp\nmkdir -p x; mv a b\n")
    checks = [missing("report_*.pdf", advice="run report.py"), forbidden("*.sh", ["cd", "cp", "mv", "mkdir", "python"])]
    with pytest.raises(InputError) as refused:
        write_zip(tmp_path, tmp_path / "all.zip", ["*"], checks)
    said = str(refused.value)
    assert "5 to solve" in said and "report_*.pdf is missing: run report.py" in said
    for line, command in ((2, "cd"), (3, "cp"), (4, "mkdir"), (4, "mv")):
        assert f"run.sh line {line} uses {command}" in said
    assert "uses python" not in said and not (tmp_path / "all.zip").exists()


def test_what_fits_the_patterns_is_packed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.py").write_text("1")
    (tmp_path / "y.txt").write_text("2")
    assert write_zip(tmp_path, tmp_path / "all.zip", ["a/*.py", "y.txt"], []) == ["a/x.py", "y.txt"]
    assert write_zip(tmp_path, tmp_path / "all.zip", ["*", "a/*"], []) == ["a/x.py", "y.txt"]  # not itself
    assert zipfile.ZipFile(tmp_path / "all.zip").read("a/x.py") == b"1"


def test_pages_of_a_pdf_are_counted(tmp_path):
    (tmp_path / "r.pdf").write_bytes(b"/Type /Pages /Type /Page /Type /Page\n /Type /Page>>")
    assert list(pages("*.pdf", 3)(tmp_path)) == [] and list(pages("*.pdf", 2)(tmp_path)) == [
        "r.pdf has 3 pages, more than 2"
    ]
