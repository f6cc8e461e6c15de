"""Task 1, one layer of vanilla cells: training. Set `data_dir`; there are no arguments."""

from oslo_task import main

data_dir = 'data/coco/'

modelParam = {
    "batch_size": 128,
    "cuda": {"use_cuda": True, "device_idx": 0},  # without a GPU it runs on the CPU
    "numbOfCPUThreadsUsed": 10,
    "numbOfEpochs": 99,
    "data_dir": "",  # set below
    "img_dir": "loss_images/",
    "modelsDir": "storedModels_test/",
    "modelName": "model_task1/",
    "restoreModelLast": 0,
    "restoreModelBest": 0,
    "modeSetups": [["train", True], ["val", True]],
    "inNotebook": False,
    "inference": False,
}
config = {
    "optimizer": "adamW",
    "learningRate": {"lr": 0.001},
    "weight_decay": 0.00001,
    "number_of_cnn_features": 2048,
    "embedding_size": 300,
    "vocabulary_size": 10000,
    "truncated_backprop_length": 25,
    "hidden_state_sizes": 512,
    "num_rnn_layers": 1,
    "scheduler_milestones": [75, 90],
    "scheduler_factor": 0.2,
    "featurepathstub": "detectron2_lim10maxfeatures",
    "cellType": "RNN",
}
modelParam["data_dir"] = data_dir

if __name__ == "__main__":
    main(1, config, modelParam)
