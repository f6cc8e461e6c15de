"""python hand_in.py: packs what the course asks for into submission.zip, or lists what is missing."""

import json
import sys
from pathlib import Path

from showtell.cli.words import run
from showtell.plumbing.archive import pack

TARGET = Path("submission.zip")


def complaints() -> list[str]:
    """What the patterns do not see: a report that nobody ran."""
    path = Path("report.ipynb")
    cells = json.loads(path.read_text("utf-8"))["cells"] if path.is_file() else []
    empty = [
        number for number, cell in enumerate(cells, start=1) if cell["cell_type"] == "code" and not cell["outputs"]
    ]
    return [f"report.ipynb has cells without output ({empty[0]} is the first): run report.py"] if empty else []


def main() -> None:
    wanted = {f"models/model_{number}.py": "a model of the course" for number in range(1, 7)}
    wanted |= {f"configs/config_model_{number}.yaml": "its config" for number in range(1, 7)}
    wanted |= {"report.ipynb": "the report, made by report.py", "report_utils/**/*": "the files of the report"}
    names = pack(TARGET, wanted, also=complaints())
    print(f"written: {TARGET} ({len(names)} files)")


if __name__ == "__main__":
    sys.exit(run(main))
