"""Scores with black patches: a file in the run, and its table of changes."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

FILE = "occlusion.json"


def write_occlusion(run: Path, before: Mapping[str, float], levels: Mapping[int, Mapping[str, float]]) -> None:
    content = {"before": dict(before), "levels": {str(level): dict(scores) for level, scores in levels.items()}}
    (run / FILE).write_text(json.dumps(content, indent=1), "utf-8")


def read_occlusion(runs: Iterable[Path]) -> dict[str, dict[str, float]]:
    """Percent -> metric -> change (after minus before), of the first run that has the file."""
    for run in runs:
        if (run / FILE).is_file():
            content = json.loads((run / FILE).read_text("utf-8"))
            before = content["before"]
            return {
                level: {name: value - before[name] for name, value in scores.items()}
                for level, scores in content["levels"].items()
            }
    return {}
