"""Pack the hand-in: `python hand_in.py --id YOU` writes mandatory2_YOU.zip, or says what is missing."""

import argparse
from pathlib import Path

from showtell.cli.words import run
from showtell.coursework.hand_in import Places, missing, write_zip

HERE = Path(__file__).resolve().parent
SCRIPTS = [f"{kind}_task{task}.py" for task in (1, 2, 3, 4) for kind in ("train", "validate")]


def a_saved_model(places: Places):
    """The course asks for the saved model of task 2 or 3."""
    if not places.glob("storedModels_test/model_task[23]/best_epoch*.pt"):
        yield "storedModels_test/model_task2/best_epoch*.pt (or of task 3) is missing: run train_task2.py here"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True, help="your name or number")
    asked = parser.parse_args()
    wanted = [*SCRIPTS, "cocoSource_xcnnfused.py", "cocoSource_xcnnfused_attention.py", "requirements.txt"]
    wanted += [f"report_{asked.id}.pdf"]
    others = ["*.py", "utils/*.py", "loss_images/*.png", "storedModels_test/model_task[23]/best_epoch*.pt"]
    file = HERE / f"mandatory2_{asked.id}.zip"
    packed = write_zip(Places(HERE, Path()), file, [*wanted, *others], [missing(*wanted), a_saved_model])
    print(f"written: {file}: {', '.join(packed)}")


if __name__ == "__main__":
    run(main)
