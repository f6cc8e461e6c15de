"""What report.py shows of one trained task."""

from pathlib import Path

from oslo_checkpoints import read_best
from oslo_recipe import recipe_of

from showtell.cache import open_source
from showtell.data.record import Record
from showtell.plumbing.errors import InputError
from showtell.predict.captions import describe_all
from showtell.recipe.build import build
from showtell.training.log import read_log

SHOWN = ("optimizer", "learningRate", "weight_decay", "embedding_size", "vocabulary_size", "hidden_state_sizes")
SHOWN += ("num_rnn_layers", "cellType", "truncated_backprop_length", "scheduler_milestones", "scheduler_factor")


class Trained:
    """`rows` are the log, `best` the scores of the best epoch, `photos` those of validation that lie on disk."""

    def __init__(self, task: int, config: dict, param: dict) -> None:
        run = Path(param["modelsDir"], "runs", param["modelName"].strip("/"))
        self.rows = read_log(run)
        scored = [row for row in self.rows if "METEOR-ids" in row]
        if not scored:
            raise InputError("is not trained", key=f"task {task}", advice=f"run train_task{task}.py, or set --tasks")
        best = max(scored, key=lambda row: row["METEOR-ids"])
        self.best = {name: best[name] for name in ("BLEU-ids-4", "METEOR-ids", "CIDEr-D", "ROUGE-L")}
        self.best |= {"epoch": best["epoch"] - 1}
        self.settings = {name: config[name] for name in SHOWN}
        self.settings |= {name: param[name] for name in ("batch_size", "numbOfEpochs")}
        recipe = recipe_of(task, config, param)
        self.captioner = read_best(task, param, recipe)
        self.photos = [each for each in build(recipe, "data") if each.split == "val" and each.path.is_file()]

    def said(self, photo: Record) -> str:
        source = open_source([photo], self.captioner.encoder, progress=False)
        return describe_all(self.captioner, source)[photo.image_id].text
