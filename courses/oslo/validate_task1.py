"""Task 1, one layer of vanilla cells: validation of the best epoch. Set `data_dir`; there are no arguments."""

from oslo_task import main
from train_task1 import config, modelParam

data_dir = "data/coco/"

modelParam |= {
    "data_dir": data_dir,
    "batch_size": 64,
    "restoreModelBest": 1,
    "modeSetups": [["val", False]],
    "inference": True,
}

if __name__ == "__main__":
    main(1, config, modelParam)
