"""Data flows one way: a file imports only its own room and rooms above it."""

import ast
from pathlib import Path

import pytest

import showtell

ROOMS = [
    *("say", "errors", "files", "restricted", "settings", "device", "progress", "interrupt", "data", "tokenizers"),
    *("features", "encoders"),
    *("regions", "cache", "clip", "decoders", "batches", "decode", "metrics", "reward", "retrieval", "forcing"),
    *("recipe", "unread", "losses", "checkpoint", "captioners", "resume", "log", "predict", "optimizer", "average"),
    *("validation", "evaluate", "remember", "teacher", "job", "train", "explain", "compare", "report", "doctor"),
    *("cli", "__main__"),
]
PACKAGE = Path(showtell.__file__).parent
FILES = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def room(path):
    return path.with_suffix("").parts[0]


def imported(path):
    """The rooms that a file imports anywhere in it, inside functions too."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} is a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (part for name in names if name.startswith("showtell.") and (part := name.split(".")[1]) in ROOMS)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_imports_only_rooms_above_it(path):
    assert room(path) in ROOMS
    below = ROOMS[ROOMS.index(room(path)) + 1 :]
    assert set(imported(path)).isdisjoint(below)
