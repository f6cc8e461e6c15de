"""Training and validation of a task; the start scripts hold only the course's two dictionaries."""

from pathlib import Path

from showtell.coursework.script import console, run_script

LINE = "Evaluation results, BLEU-4: {}, Cider: {},  ROUGE: {}, Meteor: {}"


def main(task: int, config: dict, modelParam: dict) -> None:
    run_script(lambda: (validate if modelParam["inference"] else learn)(task, config, modelParam))


def learn(task: int, config: dict, param: dict) -> None:
    from oslo_checkpoints import write_checkpoints
    from oslo_recipe import recipe_of

    from showtell.coursework.sections import two_curves
    from showtell.plumbing.files import clear
    from showtell.report.figures import png
    from showtell.training.log import read_log
    from showtell.training.loop import train

    run = Path(param["modelsDir"], "runs", param["modelName"].strip("/"))
    if not param["restoreModelLast"]:
        clear(run)

    def heard(row: dict) -> None:
        if "METEOR-ids" in row:
            print(LINE.format(*(row[name] for name in ("BLEU-4", "CIDEr-D", "ROUGE-L", "METEOR-ids"))), flush=True)

    train(recipe_of(task, config, param), run, bool(param["restoreModelLast"]), console, heard)
    for file in write_checkpoints(task, config, param, run):
        print(f"written: {file}")
    picture = Path(param["img_dir"], f"{param['modelName'].strip('/')}.png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(png(two_curves(read_log(run), "METEOR-ids")))


def validate(task: int, config: dict, param: dict) -> None:
    from oslo_checkpoints import read_best
    from oslo_recipe import recipe_of

    from showtell.cache import open_source
    from showtell.metrics.score import score
    from showtell.predict.captions import describe_all
    from showtell.recipe.build import build

    recipe = recipe_of(task, config, param)
    captioner, longest = read_best(task, param, recipe), 40
    records = [record for record in build(recipe, "data") if record.split == "val"]
    said = describe_all(captioner, open_source(records, captioner.encoder, console=console), 64, console)
    numbers = {key: " ".join(map(str, one.tokens[1:][:longest])) for key, one in said.items()}
    numbers = {key: text.partition(" 0")[0] if text != "0" else "" for key, text in numbers.items()}
    known = {record.image_id: [captioner.numbers(text) for text in record.references] for record in records}
    names = ("BLEU-ids-4", "CIDEr-D", "ROUGE-L", "METEOR-ids")
    found = score(numbers, known, names, resamples=0)
    print(LINE.format(*(found[name].value for name in names)))
