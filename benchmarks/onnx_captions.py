"""Do the ONNX graphs say what torch says? `python -m benchmarks.onnx_captions MODEL DATA [PHOTOS]`

It exports MODEL twice, the second time with `--int8`, and captions the first validation photos of DATA (200 unless
given) by torch and by both runners. A table line for each: how many captions are equal, CIDEr-D, the step's size.
"""

import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import showtell
from benchmarks.results.page import head, number, row
from showtell.data import DATA, Record
from showtell.export.write import export


def main(model: str, root: str, photos: str = "200") -> None:
    records = [r for r in DATA["auto"](root=Path(root)) if r.split == "val" and r.references][: int(photos)]
    captioner = showtell.load(model)
    texts = [caption.text for caption in captioner.caption([record.path for record in records])]
    print("\n".join(head(["captions of", "equal to torch's", "CIDEr-D", "`step.onnx`"])))
    print(row(["`showtell caption`", "", cider(records, texts), ""]), flush=True)
    with tempfile.TemporaryDirectory() as home:
        for name, int8 in (("export", False), ("export --int8", True)):
            folder = Path(home, name.replace(" ", ""))
            export(captioner, folder, int8=int8, say=lambda line: None)
            told = by_runner(folder, records)
            equal = sum(ours == theirs for ours, theirs in zip(texts, told, strict=True))
            size = (folder / "step.onnx").stat().st_size / 1e6
            cells = [f"`{name}`", f"{equal} of {len(told)}", cider(records, told), f"{size:.1f} MB"]
            print(row(cells), flush=True)


def by_runner(folder: Path, records: Sequence[Record]) -> list[str]:
    """The captions of the folder's own `run.py`, with the decoding of its settings."""
    spec = importlib.util.spec_from_file_location("run", folder / "run.py")
    assert spec is not None and spec.loader is not None
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    told: list[str] = runner.Captioner(folder).caption([str(record.path) for record in records])
    return told


def cider(records: Sequence[Record], texts: Sequence[str]) -> str:
    told = {record.image_id: text for record, text in zip(records, texts, strict=True)}
    references = {record.image_id: list(record.references) for record in records}
    return number(showtell.score(told, references, "CIDEr-D")["scores"]["CIDEr-D"]["value"])


if __name__ == "__main__":
    main(*sys.argv[1:])
