"""The search for garbage pauses for imports, goes on as it was, and passes over only what the first of them made."""

import gc
import subprocess
import sys

import pytest

from showtell.plumbing.garbage import nothing_to_collect

ONLY_ONCE = """
import gc
from showtell.plumbing.garbage import nothing_to_collect

class Node: pass

def ring():
    node = Node()
    node.itself = node

with nothing_to_collect():
    import argparse
frozen = gc.get_freeze_count()
gc.collect()
with nothing_to_collect():
    ring()
print(frozen > 0, gc.get_freeze_count() <= frozen, gc.collect() > 0)
"""


@pytest.fixture(autouse=True)
def as_before():
    yield
    gc.enable()


@pytest.mark.parametrize("searching", [True, False])
def test_the_search_pauses_and_is_then_as_before(searching):
    (gc.enable if searching else gc.disable)()
    with pytest.raises(ImportError), nothing_to_collect():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled() is searching


def test_garbage_of_later_commands_is_found():
    found = subprocess.run([sys.executable, "-c", ONLY_ONCE], capture_output=True, text=True, check=True)
    assert found.stdout == "True True True\n"
