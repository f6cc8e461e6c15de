"""Several data sets -> one; image_id = KEY/image_id. KEY is the name of the set's folder.

If two folders have the same name, the second key gets a number: `flickr/a.jpg` and `flickr-2/a.jpg`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from showtell.data.photos import at_home
from showtell.data.record import DATA, LeftOut, Record, Records
from showtell.plumbing.errors import RecipeError


def join(*, sets: tuple[Path | dict[str, Any], ...]) -> Records:
    """The records of all sets, one set after the other. Each set is a section like `data`, or a folder for `auto`."""
    if not sets:
        takes = "folders or sections: [DIR, {name: csv, root: DIR}]"
        raise RecipeError("is empty", key="data.sets", value=sets, takes=takes)
    records: list[Record] = []
    left_out: list[LeftOut] = []
    forms = []
    for key, of_set in _keyed([_section(each) for each in sets]).items():
        records += (Record(f"{key}/{r.image_id}", r.path, r.references, r.split) for r in of_set)
        left_out += (LeftOut(f"{key}/{each.name}", each.reason) for each in getattr(of_set, "left_out", ()))
        forms.append(f"{key} ({getattr(of_set, 'form', '') or 'as it is'})")
    return Records(records, form=f"join: {', '.join(forms)}", left_out=left_out)


def _section(each: Path | str | Mapping[str, Any]) -> dict[str, Any]:
    return dict(each) if isinstance(each, Mapping) else {"name": "auto", "root": each}


def _keyed(sections: Sequence[dict[str, Any]]) -> dict[str, Sequence[Record]]:
    sets: dict[str, Sequence[Record]] = {}
    for section in sections:
        name = section.pop("name", "auto")
        root = section.get("root")
        key = wanted = _folder_name(root) or name if root is not None else name
        number = 1
        while key in sets:
            key, number = f"{wanted}-{number + 1}", number + 1
        sets[key] = DATA[name](**section)
    return sets


def _folder_name(root: str | Path) -> str:
    """The name of the real folder, after following links."""
    # Not Path.resolve: it raises if links form a circle. Here the set's reader reports that.
    return Path(os.path.realpath(at_home(root, "data.root"))).name
