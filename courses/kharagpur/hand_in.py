"""Pack the hand-in: `python hand_in.py --id 7` writes team_id_7_project.zip, or says what is missing."""

import argparse
from pathlib import Path

from showtell.cli.words import run
from showtell.coursework.hand_in import Places, missing, not_run, pages, write_zip

HERE = Path(__file__).resolve().parent


def names(places: Places):
    team = places.glob("TEAM.md").get("TEAM.md")
    if team is None or "Names: ..." in team.read_text("utf-8"):
        yield "TEAM.md has no names: write the names and roll numbers of the team into it"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True, help="the number of your team")
    parser.add_argument("--parts", default="abc", help="the parts of your year: abc, or ab")
    asked = parser.parse_args()
    team = f"team_id_{asked.id}"
    wanted = [*(f"{team}_{part}.ipynb" for part in asked.parts), f"{team}_report.pdf", "captioning.py"]
    wanted += ["classifier.py"] if "c" in asked.parts else []
    places, file = Places(HERE, Path()), HERE / f"{team}_project.zip"
    checks = [missing(*wanted), not_run(f"{team}_*.ipynb"), names, pages(f"{team}_report.pdf", 4)]
    packed = write_zip(places, file, [*wanted, "TEAM.md"], checks, {"TEAM.md": "README.md"})  # as the course calls it
    print(f"written: {file}: {', '.join(packed)}")


if __name__ == "__main__":
    run(main)
