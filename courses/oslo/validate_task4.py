"""Task 4, LSTM with attention over ten boxes: validation of the best epoch. Set `data_dir`; there are no arguments."""

from oslo_task import main
from train_task4 import config, modelParam

data_dir = "data/coco/"

modelParam |= {
    "data_dir": data_dir,
    "batch_size": 64,
    "restoreModelBest": 1,
    "modeSetups": [["val", False]],
    "inference": True,
}

if __name__ == "__main__":
    main(4, config, modelParam)
