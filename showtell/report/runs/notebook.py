"""A report as a notebook: the same tables and figures, made by lines that a reader can change. Run it from the top."""

import json
import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from showtell.report.runs import drawings
from showtell.report.runs.log import LOSS
from showtell.report.runs.numbers import CURVE
from showtell.report.runs.read import Runs

SEE = "*What do you see?*"


def notebook(found: Runs, out: Path, overrides: Sequence[str], photos: Path | None, maps: Sequence[str] | None) -> str:
    """The notebook's text, for `out/report.ipynb`."""
    cells = [
        _words(f"# {', '.join(found.names)}\n\nMade by `showtell report`. Run all cells from the top."),
        _code(_begin(found, out, overrides)),
        *_part("The runs side by side", "tables.side_by_side(found)"),
        *_part("Scores", "tables.scores(found)", "drawings.score_dots(found)"),
        *_part("What scores hide", 'tables.scores(found, "hidden")'),
        *_curves(found),
        *_part("Captions", _looks(photos, maps), SHOW_CAPTIONS, SHOW_MAPS),
        *_part("The best and the worst photos", BEST_AND_WORST),
        *(_part("Where the runs disagree", DISAGREE) if len(found.runs) > 1 else []),
        *_part("Failures", "tables.failure_counts(found)", FAILURES),
        *_part("How this was made", MADE),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"part-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def digest_of(text: str) -> str:
    """The digest by which an edited notebook is noticed."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


BEGIN = """%matplotlib inline
import os
from pathlib import Path

from IPython.display import display

from showtell.report.strip import attention_figure
from showtell.report.runs import choose, drawings, log, looks, tables
from showtell.report.runs.read import read_runs

HERE = globals().get("HERE", Path.cwd())  # the folder of this notebook
os.chdir(HERE / {home!r})  # the folder in which the paths of runs and photos were given
found = read_runs({runs!r}, split={split!r}, overrides={overrides!r})
print("best:", found.best, "by", found.decides)"""

SHOW_CAPTIONS = """for look in chosen:
    display(drawings.captioned(look.image(), look.captions, look.references))"""

SHOW_MAPS = """for look in chosen:
    for name, seen in look.maps.items():
        print(name)
        display(attention_figure(look.image(), seen))"""

BEST_AND_WORST = """best, worst = choose.extremes(found, run=found.best, metric=found.decides, count=3)
for image_id in [*best, *worst]:
    print(found.decides, round(found.values(found.decides)[found.best][image_id], 3))
    display(drawings.of_image(found, image_id, [found.best]))"""

DISAGREE = """for image_id in choose.disagreeing(found, 3):
    display(drawings.of_image(found, image_id))"""

FAILURES = """for kind, by_run in choose.failing(found).items():
    for run, image_id in choose.examples(by_run, 2):
        print(kind, by_run[run][image_id])
        display(drawings.of_image(found, image_id, [run]))"""

MADE = """print(found.data)
for name, run in found.runs.items():
    print(name, dict(run.made), dict(run.scored))"""


def _begin(found: Runs, out: Path, overrides: Sequence[str]) -> str:
    home = os.path.relpath(Path.cwd(), out.resolve())
    runs = [str(run.folder) for run in found.runs.values()]
    return BEGIN.format(home=home, runs=runs, split=found.split, overrides=list(overrides))


def _looks(photos: Path | None, maps: Sequence[str] | None) -> str:
    asked = None if maps is None else list(maps)
    if photos is None:
        return f"chosen = looks.look_at_middle(found, {asked!r})"
    return f"chosen, unread = looks.look_at_folder(found, Path({str(photos)!r}), {asked!r})"


def _curves(found: Runs) -> list[dict[str, Any]]:
    metrics = drawings.chart_metrics(found)
    if not metrics:
        return []
    curve = next((name for name in CURVE if name in metrics), metrics[-1])
    lines = [f'drawings.curves(found, "{metrics[0]}", x="epoch")', "tables.best_epochs(found)"]
    if metrics[0] == LOSS and curve != LOSS:
        lines.append(f'drawings.curves(found, "{curve}", x="epoch")')
        follow = f'for name, run in found.runs.items():\n    print(name + ":", log.follows(run.log, "{curve}"))'
        lines.append(follow)
    return _part("Training", *lines)


def _part(title: str, *codes: str) -> list[dict[str, Any]]:
    return [_words(f"## {title}"), *map(_code, codes), _words(SEE)]


def _words(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(text: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": text.splitlines(keepends=True),
    }
