"""Train a captioner on drawn scenes, load it, and ask a judge what it gets right.

A few steps on a few pictures take seconds and teach it next to nothing: with `SMALL = []` it is the recipe itself.
"""

import showtell

SMALL = ["data.images=60", "data.val_images=6", "data.test_images=6", "train.max_steps=6", "train.batch_size=50"]

recipe = showtell.load_recipe("scenes", SMALL)
run = showtell.train(recipe, "runs/small-scenes")
settings = {name: value for name, value in recipe["data"].items() if name != "name"}
test = [record for record in showtell.DATA["scenes"](**settings) if record.split == "test"]
truth = showtell.read_scenes(test[0].path.parent, "test")
for record, caption in zip(test, showtell.load(run).caption([record.path for record in test]), strict=True):
    verdict = showtell.judge(caption.text, truth[record.image_id])
    print(f"{record.image_id}: {caption.text!r} is {'right' if verdict else f'wrong: {verdict.reason}'}")
