"""Task 3, two layers of LSTM cells: validation of the best epoch. Set `data_dir`; there are no arguments."""

from oslo_task import main

data_dir = 'data/coco/'

modelParam = {
    "batch_size": 64,
    "cuda": {"use_cuda": True, "device_idx": 0},  # without a GPU it runs on the CPU
    "numbOfCPUThreadsUsed": 10,
    "numbOfEpochs": 99,
    "data_dir": "",  # set below
    "img_dir": "loss_images/",
    "modelsDir": "storedModels_test/",
    "modelName": "model_task3/",
    "restoreModelLast": 0,
    "restoreModelBest": 1,
    "modeSetups": [["val", False]],
    "inNotebook": False,
    "inference": True,
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
    "num_rnn_layers": 2,
    "scheduler_milestones": [75, 90],
    "scheduler_factor": 0.2,
    "featurepathstub": "detectron2_lim10maxfeatures",
    "cellType": "LSTM",
}
modelParam["data_dir"] = data_dir

if __name__ == "__main__":
    main(3, config, modelParam)
