"""Training and validation of a task; the start scripts hold only the course's two dictionaries."""

from pathlib import Path

from showtell.cli.words import err, run

LINE, LONGEST = "Evaluation results, BLEU-4: {}, Cider: {},  ROUGE: {}, Meteor: {}", 40  # words at most
SCORES = ("BLEU-ids-4", "CIDEr-D", "ROUGE-L", "METEOR-ids")  # BLEU and METEOR of numbers, as the course computes them


def main(task: int, config: dict, modelParam: dict) -> None:
    run(lambda: (validate if modelParam["inference"] else learn)(task, config, modelParam))


def learn(task: int, config: dict, param: dict) -> None:
    from oslo_checkpoints import write_checkpoints
    from oslo_files import checkpoints
    from oslo_recipe import recipe_of

    from showtell.coursework.sections import two_curves, write_figure
    from showtell.plumbing.files import clear
    from showtell.training.log import read_log
    from showtell.training.loop import train

    name = param["modelName"].strip("/")
    run, picture = Path(param["modelsDir"], "runs", name), Path(param["img_dir"], f"{name}.png")
    if not param["restoreModelLast"]:
        clear(run)

    def leave(job: object, row: dict) -> None:
        if "METEOR-ids" in row:
            print(LINE.format(*(row[name] for name in SCORES)), flush=True)
        write_checkpoints(task, config, param, job)
        write_figure(two_curves(read_log(run), "METEOR-ids"), picture)

    train(recipe_of(task, config, param), run, bool(param["restoreModelLast"]), err, leave)
    print("\n".join(f"written: {file}" for file in [*checkpoints(param), picture]))


def validate(task: int, config: dict, param: dict) -> None:
    from oslo_checkpoints import read_best
    from oslo_recipe import recipe_of

    from showtell.cache import open_source
    from showtell.data.photo_pickles import find_pickles, read_photo
    from showtell.metrics.score import score
    from showtell.predict.captions import describe_all
    from showtell.recipe.build import build
    from showtell.tokenizers.captions import words_of

    recipe = recipe_of(task, config, param)
    captioner, data = read_best(task, param, recipe), Path(recipe["data"]["root"])
    records = [record for record in build(recipe, "data") if record.split == "val"]
    photos = [read_photo(path) for split, path in find_pickles(data, config["featurepathstub"]) if split == "val"]
    known = {photo.name: [" ".join(map(str, row[1:-1])) for row in photo.tokens] for photo in photos}
    special, source = captioner.tokenizer.special, open_source(records, captioner.encoder, console=err)
    said = describe_all(captioner, source, 64, err)
    numbers = {key: " ".join(map(str, words_of(one.tokens, special)[:LONGEST])) for key, one in said.items()}
    found = score(numbers, known, SCORES, resamples=0)
    print(LINE.format(*(found[name].value for name in SCORES)))
