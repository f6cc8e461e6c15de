"""A zip for a course is refused with a list of all that is wrong."""

import zipfile

import pytest

from showtell.coursework.hand_in import Places, forbidden, missing, pages, write_zip
from showtell.plumbing.errors import InputError


def test_all_faults_are_listed_and_nothing_is_written(tmp_path):
    (tmp_path / "run.sh").write_text("python3 a.py\ncd /tmp\n# scp is no cp\nmkdir -p x; mv a b\n")
    checks = [missing("report_*.pdf", advice="run report.py"), forbidden("*.sh", ["cd", "cp", "mv", "mkdir", "python"])]
    with pytest.raises(InputError) as refused:
        write_zip(Places(tmp_path), tmp_path / "all.zip", ["*"], checks)
    said = str(refused.value)
    assert "5 to solve" in said and "report_*.pdf is missing: run report.py" in said
    for line, command in ((2, "cd"), (3, "cp"), (4, "mkdir"), (4, "mv")):
        assert f"run.sh line {line} uses {command}" in said
    assert "uses python" not in said and not (tmp_path / "all.zip").exists()


def test_what_fits_the_patterns_is_packed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.py").write_text("1")
    (tmp_path / "y.txt").write_text("2")
    assert write_zip(Places(tmp_path), tmp_path / "all.zip", ["a/*.py", "y.txt"], []) == ["a/x.py", "y.txt"]
    assert write_zip(Places(tmp_path), tmp_path / "all.zip", ["*", "a/*"], []) == ["a/x.py", "y.txt"]  # not itself
    assert zipfile.ZipFile(tmp_path / "all.zip").read("a/x.py") == b"1"


def test_files_beside_the_script_and_in_the_working_folder_are_packed_together(tmp_path):
    here, working = tmp_path / "here", tmp_path / "working"
    for path in (here / "train.py", here / "TEAM.md", here / "report.pdf", working / "model" / "best.pt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    (working / "report.pdf").write_text("newer")
    wanted, checks = ["*.py", "TEAM.md", "report.pdf", "model/*.pt"], [missing("model/*.pt", "report.pdf")]
    packed = write_zip(Places(working, here), tmp_path / "a.zip", wanted, checks, {"TEAM.md": "README.md"})
    assert packed == ["README.md", "model/best.pt", "report.pdf", "train.py"]
    assert zipfile.ZipFile(tmp_path / "a.zip").read("report.pdf") == b"newer"


@pytest.mark.parametrize("line", ["/bin/rm -r x", "a && /usr/bin/sudo b", "pip3 install x", "python3.11 a.py; rm b"])
def test_a_command_by_its_path_or_version_is_found(tmp_path, line):
    (tmp_path / "run.sh").write_text(f"#!/bin/bash\n{line}\n")
    assert len(list(forbidden("*.sh", ["rm", "sudo", "pip", "python"])(Places(tmp_path)))) == 1


@pytest.mark.parametrize(
    "line", ["python3 a.py", "scp a b", "echo my-rm rm-it", "bash x.rm", "gzip.pip/x", "ls runs/rm", "sh /a/rm/b"]
)
def test_other_commands_are_free(tmp_path, line):
    (tmp_path / "run.sh").write_text(line)
    assert list(forbidden("*.sh", ["rm", "pip", "cp", "python"])(Places(tmp_path))) == []


def test_pages_of_a_pdf_are_counted(tmp_path):
    (tmp_path / "r.pdf").write_bytes(b"/Type /Pages /Type /Page /Type /Page\n /Type /Page>>")
    assert list(pages("*.pdf", 3)(Places(tmp_path))) == [] and list(pages("*.pdf", 2)(Places(tmp_path))) == [
        "r.pdf has 3 pages, more than 2"
    ]
