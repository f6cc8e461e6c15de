"""Data flows one way: a file imports only rooms above its own in README's tree, and no import runs in a circle."""

import ast
import functools
import re
from graphlib import TopologicalSorter
from pathlib import Path

import showtell

PACKAGE = Path(showtell.__file__).parent
README = (PACKAGE.parent / "README.md").read_text("utf-8")
ROOMS = re.findall(r"^  (\w+)(?:/|\.py) ", README[README.index("\nshowtell/\n") :], re.MULTILINE)
MODULES = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items() if name != "showtell.__init__"}


@functools.cache
def imported(name):
    """The modules of showtell that a module imports anywhere in it, inside functions too."""
    every = []
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno} is a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        every += [each if each in MODULES else each.rpartition(".")[0] for each in names if "showtell." in each]
    return every


def test_a_file_imports_only_rooms_above_it():
    place = {name: ROOMS.index(name.split(".")[1]) for name in MODULES}
    upwards = [
        (name, each) for name in MODULES for each in imported(name) if each in place and place[each] > place[name]
    ]
    assert not upwards


def test_no_import_runs_in_a_circle():
    TopologicalSorter({name: {*imported(name)} - {name} for name in MODULES}).prepare()
