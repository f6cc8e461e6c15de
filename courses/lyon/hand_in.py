"""python hand_in.py: packs the report, the model and pictures into hand_in.zip, or lists what is missing."""

from pathlib import Path

from showtell.cli.words import run
from showtell.coursework.hand_in import Places, missing, not_run, write_zip

TARGET = Path("hand_in.zip")
MADE = {"report.ipynb": "run report.py", "*_attention.png": "run caption.py"}
MADE |= {"BEST_checkpoint_*.pth.tar": "run train.py", "report_utils/**/*": "", "*.py": ""}


def main() -> None:
    checks = [missing(pattern, advice=advice) for pattern, advice in MADE.items()]
    names = write_zip(Places(Path()), TARGET, [*MADE], [*checks, not_run("report.ipynb", "run report.py")])
    print(f"written: {TARGET} ({len(names)} files)")


if __name__ == "__main__":
    run(main)
