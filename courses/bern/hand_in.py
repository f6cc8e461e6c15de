"""python hand_in.py: packs what the course asks for into submission.zip, or lists what is missing."""

from pathlib import Path

from showtell.cli.words import run
from showtell.coursework.hand_in import Places, missing, not_run, write_zip

TARGET = Path("submission.zip")
WANTED = [f"models/model_{number}.py" for number in range(1, 7)]
WANTED += [f"configs/config_model_{number}.yaml" for number in range(1, 7)]
REPORT = ["report.ipynb", "report_utils/**/*"]


def main() -> None:
    checks = [missing(*WANTED), missing(*REPORT, advice="run report.py"), not_run("report.ipynb", "run report.py")]
    names = write_zip(Places(Path()), TARGET, [*WANTED, *REPORT], checks)
    print(f"written: {TARGET} ({len(names)} files)")


if __name__ == "__main__":
    run(main)
