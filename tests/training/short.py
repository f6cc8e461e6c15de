"""Short trainings, and what they log and leave."""

import json

from showtell.training.log import read_log
from tests.small import FROZEN, train_small

STILL = [*FROZEN, "decoder.dropout=0", "decoder.feature_dropout=0", "train.precision=fp32"]
ONE_STEP = ["train.batch_size=120", "train.warmup_steps=0"]  # all 24 photos with their five captions


def trained(run, *overrides):
    train_small(run, *overrides)
    return read_log(run)


def state(run):
    return json.loads((run / "last" / "state.json").read_text())
