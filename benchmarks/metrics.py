"""All metrics of 5,000 images with five references, end to end, against pycocoevalcap; and CIDEr-D as a reward.

End to end means a process of its own that reads the texts, tokenizes, loads whatever it needs and scores: BLEU, METEOR,
ROUGE-L and CIDEr-D. The peer needs Java and the extra `meteor`, which brings it along; without them it is left out with
a line. Captions are those of drawn scenes; `SHOWTELL_BENCH_CAPTIONS=FILE.json,FILE.json` takes real ones, in any form
that `showtell score --references` takes. Photos repeat until there are enough; the candidate is the photo's last
caption, the references are its others and one of the next photo's. Peaks of memory add Java's to its parent's.
"""

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import Ratio, compare
from showtell.metrics.cider import CiderD
from showtell.metrics.tokenize import tokenize
from showtell.scoring.formats import read_references

OURS = """
import json, sys
from showtell.metrics.score import score
texts = json.load(open(sys.argv[1]))
found = score(texts["candidates"], texts["references"], "standard", resamples=0)
values = {name: entry.value for name, entry in found.items()}
"""
PEERS = """
import contextlib, io, json, sys
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
texts = json.load(open(sys.argv[1]))
tokenizer = PTBTokenizer()
known = tokenizer.tokenize({key: [{"caption": t} for t in of] for key, of in texts["references"].items()})
said = tokenizer.tokenize({key: [{"caption": t}] for key, t in texts["candidates"].items()})
with contextlib.redirect_stdout(io.StringIO()):
    values = dict(zip(["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4"], Bleu(4).compute_score(known, said)[0]))
    for name, metric in {"METEOR": Meteor, "ROUGE-L": Rouge, "CIDEr-D": Cider}.items():
        values[name] = float(metric().compute_score(known, said)[0])
"""
PEAK = """
import resource, time
peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({"values": values, "MiB": sum(peaks)}))
"""


def run(quick: bool = False) -> list[Ratio]:
    images, repeats = (30, 1) if quick else (5000, 5)
    candidates, references = _texts(images)
    reward = _reward(list(candidates.values()), list(references.values()), repeats)
    if shutil.which("java") is None or importlib.util.find_spec("pycocoevalcap") is None:
        print("metrics: no Java or no pycocoevalcap (pip install 'showtell[meteor]'): not compared with it")
        return [reward]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "texts.json"
        path.write_text(json.dumps({"candidates": candidates, "references": references}), "utf-8")
        return [_whole(path, images, repeats), reward]


def _texts(images: int) -> tuple[dict[str, str], dict[str, list[str]]]:
    known = _captions()
    candidates, references = {}, {}
    for i in range(images):
        own, other = known[i % len(known)], known[(i + 1) % len(known)]
        candidates[str(i)], references[str(i)] = own[-1], [*own[:-1], other[0]]
    return candidates, references


def _captions() -> list[list[str]]:
    """The captions of each photo that has five."""
    files = os.environ.get("SHOWTELL_BENCH_CAPTIONS")
    if not files:
        from showtell.data import DATA

        return [list(record.references) for record in DATA["scenes"](images=60, val_images=1, test_images=1)]
    return [texts for file in files.split(",") for texts in read_references(Path(file)).values() if len(texts) == 5]


def _whole(path: Path, images: int, repeats: int) -> Ratio:
    peaks: dict[str, list[float]] = {OURS: [], PEERS: []}
    values = {}

    def work(code: str) -> None:
        job = [sys.executable, "-c", code + PEAK, str(path)]
        said = json.loads(subprocess.run(job, capture_output=True, text=True, check=True).stdout)
        values[code] = said["values"]
        peaks[code].append(said["MiB"])

    name = f"metrics: pycocoevalcap / ours, {images:,} images x 5 references"
    ratio = compare(name, lambda: work(OURS), lambda: work(PEERS), repeats, 2)
    missing = values[PEERS].keys() - values[OURS].keys()
    assert not missing, f"ours lacks {missing}"
    apart = {key: abs(values[OURS][key] - value) for key, value in values[PEERS].items()}
    differ = max(apart.values())
    assert differ < 1e-9, f"values differ by {differ}: {apart}"
    own, theirs = (statistics.median(peaks[code]) for code in (OURS, PEERS))
    return ratio._replace(note=f"peak {own:.0f} of {theirs:.0f} MiB; values differ by {differ:.0e} at most")


def _reward(candidates: list[str], references: list[list[str]], repeats: int) -> Ratio:
    """1,000 captions against references prepared once, as each step of self-critical training asks, or counted anew."""
    known = [[tokenize(text) for text in of_image] for of_image in references]
    said = [tokenize(text) for text in candidates[:1000]]
    places = list(range(len(said)))
    prepared = CiderD(known)

    def ours() -> None:
        prepared.scores(said, places)

    ratio = compare(
        "CIDEr-D reward: counted anew / prepared", ours, lambda: CiderD(known).scores(said, places), repeats, 2
    )
    return ratio._replace(note=f"{1000 * ratio.seconds:.0f} ms for {len(said):,} captions; aim: under 50")
