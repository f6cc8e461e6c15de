"""python report.py: runs all cells of report.ipynb in this folder, where checkpoints/, logs/ and flickr8k/ are."""

import argparse

from showtell.cli.words import run
from showtell.report.notebook import run_notebook


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notebook", default="report.ipynb", help="the notebook, which is written with its outputs")
    args = parser.parse_args()
    print(f"written: {run_notebook(args.notebook, beside=__file__)}")


if __name__ == "__main__":
    run(main)
