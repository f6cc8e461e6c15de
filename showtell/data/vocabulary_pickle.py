"""The Oslo course's vocabulary.pickle -> its words in the order of their numbers. It is read without running it."""

from pathlib import Path

from showtell.plumbing import pickles
from showtell.plumbing.errors import InputError

BEGIN = ("eeee", "ssss", "UNK")  # end, start, unknown


def read_vocabulary(path: Path) -> list[str]:
    """The words of a vocabulary.pickle in the order of their numbers. Raises InputError if it is not the course's."""
    content = pickles.load(path)
    words = content.get("vocabulary") if isinstance(content, dict) else None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or tuple(words[:3]) != BEGIN:
        takes = f"a dict with the list 'vocabulary', which begins with {', '.join(BEGIN)}"
        raise InputError("is not a vocabulary of the Oslo course", key=str(path), takes=takes)
    return [str(word) for word in words]
