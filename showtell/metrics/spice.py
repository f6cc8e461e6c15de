"""SPICE (Anderson et al. 2016, arXiv:1607.08822), computed by its own Java program from the package pycocoevalcap.

The program parses captions with Stanford CoreNLP, which no Python package contains. This file runs what the user has
installed, and downloads nothing. The program reads a JSON list of `{image_id, test, refs}` and writes a list of
`{image_id, scores}`. An image's value is `scores.All.f`, the F-score over objects, attributes and relations.
"""

import json
import math
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from showtell.metrics.metric import Metric, Rows, Texts
from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import read_json

JAR = "spice-1.0.jar"
CORE_NLP = ("lib/stanford-corenlp-3.6.0.jar", "lib/stanford-corenlp-3.6.0-models.jar")
MEMORY = "-Xmx8G"  # what the program's own help asks for


def spice_folder() -> Path | None:
    """pycocoevalcap's folder `spice`, found without running any of its code."""
    package = find_spec("pycocoevalcap")
    places = package.submodule_search_locations if package is not None else None
    return Path(next(iter(places)), "spice") if places else None


def command(java: str, folder: Path, asked: Path, answer: Path) -> list[str]:
    return [java, MEMORY, "-jar", str(folder / JAR), str(asked), "-out", str(answer), "-subset", "-silent"]


def missing(texts: Texts | None) -> str | None:
    folder = spice_folder()
    if folder is None or not (folder / JAR).is_file():
        return "needs pycocoevalcap; run pip install 'showtell[meteor]', then add Stanford CoreNLP and Java"
    if lacking := [name for name in CORE_NLP if not (folder / name).is_file()]:
        return (
            f"needs Stanford CoreNLP 3.6.0, but {folder} has no {' and no '.join(lacking)}; "
            "run `python get_stanford_models.py` in that folder, or put the files there"
        )
    if shutil.which("java") is None:
        return "needs Java, but there is no `java` on the PATH; install Java"
    return None


def statistics(texts: Texts) -> Rows:
    """The program's F-score of each image -> (images, 1). It gets tokenized texts, as in coco-caption."""
    folder, java = spice_folder(), shutil.which("java")
    assert folder is not None and java is not None
    asked = [
        {"image_id": row, "test": candidate, "refs": list(references)}
        for row, (candidate, references) in enumerate(zip(texts.candidates, texts.references, strict=True))
    ]
    with TemporaryDirectory(prefix="showtell-spice-") as scratch:
        question, answer = Path(scratch, "captions.json"), Path(scratch, "scores.json")
        question.write_text(json.dumps(asked), "utf-8")
        _run(command(java, folder, question, answer), folder)
        return _scores(answer, len(asked))


def _run(words: list[str], folder: Path) -> None:
    done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode:
        # Java indents the places in the program. The last line that is not indented gives the cause: `Caused by: ...`
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip() and not line[0].isspace()]
        last = lines[-1] if lines else "no message"
        raise InputError(f"SPICE's Java program failed with exit code {done.returncode}: {last}")


def _scores(answer: Path, images: int) -> Rows:
    """The program's F-score of each image; 0 if it gives none, for example if both sides are empty."""
    try:
        scores = {entry["image_id"]: _number(entry["scores"]["All"]["f"]) for entry in read_json(answer)}
        return np.array([[scores[row]] for row in range(images)])
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = type(error).__name__
        raise InputError(f"SPICE's Java program finished, but its scores cannot be read ({what}: {error})") from error


def _number(value: Any) -> float:
    number = 0.0 if value is None else float(value)
    return 0.0 if math.isnan(number) else number


SPICE = Metric(statistics, facts=lambda texts: "SPICE 1.0 in Java", missing=missing)
