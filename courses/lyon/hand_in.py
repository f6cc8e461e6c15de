"""python hand_in.py: packs the report, the model and pictures into hand_in.zip, or lists what is missing."""

import json
import sys
from pathlib import Path

from showtell.cli.words import run
from showtell.plumbing.archive import pack

TARGET = Path("hand_in.zip")


def complaints() -> list[str]:
    """What the patterns do not see: a report that nobody ran."""
    path = Path("report.ipynb")
    cells = json.loads(path.read_text("utf-8"))["cells"] if path.is_file() else []
    empty = [cell for cell in cells if cell["cell_type"] == "code" and not cell["outputs"]]
    return ["report.ipynb has cells without output: run report.py"] if empty else []


def main() -> None:
    wanted = {"report.ipynb": "the report, made by report.py", "report_utils/**/*": "the files of the report"}
    wanted |= {"*.py": "the course's scripts", "*_attention.png": "a picture of caption.py"}
    wanted |= {"BEST_checkpoint_*.pth.tar": "a trained model, made by train.py"}
    names = pack(TARGET, wanted, also=complaints())
    print(f"written: {TARGET} ({len(names)} files)")


if __name__ == "__main__":
    sys.exit(run(main))
