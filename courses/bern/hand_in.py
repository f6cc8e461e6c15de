"""python hand_in.py: packs what the course asks for into submission.zip, or lists what is missing."""

from pathlib import Path

from showtell.cli.words import run
from showtell.coursework.hand_in import Places, missing, not_run, write_zip

TARGET = Path("submission.zip")
MODELS = [f"model_{number}" for number in range(1, 7)]
WANTED = [f"models/{name}.py" for name in MODELS] + [f"configs/config_{name}.yaml" for name in MODELS]
REPORT = ["report.ipynb", "report_utils/**/*"]


def main() -> None:
    checks = [missing(*WANTED), missing(*REPORT, advice="run report.py"), not_run("report.ipynb", "run report.py")]
    names = write_zip(Places(Path()), TARGET, [*WANTED, *REPORT], checks)
    print(f"written: {TARGET} ({len(names)} files)")
    untrained = [name for name in MODELS if not Path("checkpoints", name, "bleu_scores.txt").is_file()]
    if untrained:
        print(f"note: checkpoints/ has no scores of {', '.join(untrained)}; the course's report shows all six models")


if __name__ == "__main__":
    run(main)
