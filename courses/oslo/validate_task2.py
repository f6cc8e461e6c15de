"""Task 2, two layers of GRU cells: validation of the best epoch. Set `data_dir`; there are no arguments."""

from oslo_task import main
from train_task2 import config, modelParam

data_dir = "data/coco/"

modelParam |= {
    "data_dir": data_dir,
    "batch_size": 64,
    "restoreModelBest": 1,
    "modeSetups": [["val", False]],
    "inference": True,
}

if __name__ == "__main__":
    main(2, config, modelParam)
