"""Text of others on a terminal, in a table and in a command that others read."""

import io
import sys
from pathlib import Path

import pytest

from showtell.plumbing import origin
from showtell.plumbing.console import Plain, cell, of_cell
from showtell.plumbing.errors import InputError, RecipeError


@pytest.mark.parametrize("text", [":x: a [red]dog", "a \x1b[31mdog\x1b]0;title\x07", "a\x9b31m \u202edog"])
def test_a_console_shows_text_of_others_as_text(text):
    shown = io.StringIO()
    Plain(file=shown, width=200, force_terminal=True).print(text)
    assert "\x1b" not in shown.getvalue() and "\x9b" not in shown.getvalue() and "\u202e" not in shown.getvalue()
    assert text.isprintable() is False or shown.getvalue() == f"{text}\n"


@pytest.mark.parametrize("text", ["=1+1", "@a", "- a dog", "+x", "\tx", "'=1", "'quoted'", "-0.5", "a dog", ""])
def test_no_cell_is_a_formula_and_each_is_read_back(text):
    written = cell(text)
    assert not written.startswith(("=", "@", "+", "\t")) and of_cell(written) == text
    assert written == text or written == f"'{text}"


def test_an_error_is_short_and_harmless_whatever_its_value():
    itself: list[object] = []
    itself.append(itself)
    wide: object = ["x"] * 10
    for _ in range(12):  # 10^13 values, were they all shown
        wide = [wide] * 10
    for value in (itself, wide, 10**5000, "\x1b[31m" * 9999, {"a" * 9999: 1}):
        line = str(RecipeError(key="encoder.name", value=value))
        assert len(line) < 1000 and "\x1b" not in line and "\n" not in line
    assert "\x1b" not in str(InputError("a\x1b[2J", key="\x1b", takes=["\x1b"], near="\x1b", advice="\x1b"))
    assert str(InputError("refused:", details=["a\x1b", "b"])) == "refused:\n- a\\x1b\n- b"


def test_a_published_command_has_no_folders_of_this_machine(monkeypatch, tmp_path):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "ana"))
    words = [f"data.root={tmp_path}/photos", f"{Path.cwd()}/runs/a", f"{tmp_path}/ana/b", "runs/c", "--out"]
    monkeypatch.setattr(sys, "argv", ["showtell", "train", *words])
    assert origin.command() == "showtell train data.root=.../photos runs/a '~/b' runs/c --out"
    assert origin.public_values({"a": [f"{tmp_path}/x", 1]}) == {"a": [".../x", 1]}
