"""The log of Showtell's run -> the mean loss of each epoch, as wandb exports it: train.csv and val.csv."""

import csv
from pathlib import Path

from showtell.training.log import read_log


def write_losses(run: Path, folder: Path) -> None:
    """Write both files. A row with a validation is the last of its epoch, which it counts already."""
    losses: dict[str, dict[int, list[float]]] = {"train": {}, "val": {}}
    for row in read_log(run):
        for split, name in (("train", "loss"), ("val", "val_loss")):
            ended = name == "val_loss" or "val_loss" in row
            if name in row:
                losses[split].setdefault(max(row["epoch"], 1) if ended else row["epoch"] + 1, []).append(row[name])
    for split, by_epoch in losses.items():
        with (folder / f"{split}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", f"{split}/cross_entropy_loss"])
            writer.writerows([epoch, sum(each) / len(each)] for epoch, each in sorted(by_epoch.items()))
