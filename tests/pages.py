"""The project's pages as tests read them: their code blocks in order, and the `showtell` commands in those."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^(?:`(?P<file>[^`\n]+)`\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block; `file` stands in backticks on the line right above it."""

    language: str
    text: str
    file: str | None


class Command(NamedTuple):
    """`showtell WORDS > INTO`."""

    words: list[str]
    into: str | None


def blocks(page: Path) -> list[Block]:
    return [Block(found["language"], found["text"], found["file"]) for found in BLOCK.finditer(page.read_text("utf-8"))]


def commands(shell: str) -> list[Command]:
    """The `showtell` commands of a shell block, inside loops and behind variables too."""
    found = []
    for line in shell.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        pieces: list[list[str]] = [[]]
        for word in lexer:
            if set(word) <= set("();<>|&"):
                pieces.append([word])
            else:
                pieces[-1].append(word)
        for place, piece in enumerate(pieces):
            words = [word for word in piece if set(word) - set("();<>|&")]
            while words and (words[0] == "do" or re.match(r"^[A-Z_]+=", words[0])):
                words = words[1:]
            if words and Path(words[0]).name == "showtell":
                after = pieces[place + 1] if place + 1 < len(pieces) else []
                found.append(Command(words[1:], after[1] if after[:1] == [">"] else None))
    return found
