"""A checked recipe -> a job that is ready to begin. All errors of a recipe come here, before anything is written.

The order is from fast to slow: first the checks that need no photos, then the data is read, then photos are encoded.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from showtell.cache import Source, fill_share, open_augmented, open_source
from showtell.captioners.views import encoder_of_views
from showtell.data import Record, notes
from showtell.encoders import Encoder
from showtell.losses.loss import Loss
from showtell.metrics.tokenize import NAME
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import count, say
from showtell.plumbing.scripts import unspaced
from showtell.recipe.build import build, build_encoder, build_neural
from showtell.recipe.fixed import Train
from showtell.recipe.tables import options
from showtell.recipe.unused import unused
from showtell.settings.text import Recipe
from showtell.tokenizers import TOKENIZERS
from showtell.tokenizers.captions import Tokenizer
from showtell.training.budget import check_budget
from showtell.training.job import Job, start_with
from showtell.training.log import check_extras
from showtell.training.processes import ALONE, World
from showtell.training.resume import differences, start_folder
from showtell.training.teacher import Teacher
from showtell.training.validation import check_clip, chooser, clip_of

CUT_AT_BLANKS = ("words", "bern", "listed", "word_map")  # tokenizers


def with_metric(recipe: Recipe, console: Console) -> Recipe:
    """The recipe with one metric in `train.select`, even if the user named several."""
    select = chooser(recipe["train"]["select"], partial(say, console))
    return recipe | {"train": recipe["train"] | {"select": select}}


def set_up(recipe: Recipe, run: Path, goes_on: bool, console: Console, world: World = ALONE) -> Job:
    """Build and check everything that a training needs. If `goes_on`, the tokenizer comes from the run folder."""
    settings = Train(**options(recipe, "train"))
    loss: Loss = build(recipe, "loss")
    check_extras(settings.tensorboard, settings.wandb)
    check_clip(recipe)
    loss.check(clip_of(recipe, torch.device("cpu")))
    torch.manual_seed(settings.seed)
    device = world.device(settings.device)
    encoder = build_encoder(recipe).to(device)
    encoder_of_views(encoder, recipe["captioner"]["views"])  # raises if the encoder cannot make these views
    for line in unused(recipe, encoder.trains):
        say(console, line)
    teacher = Teacher(loss.teacher, recipe, encoder, device) if loss.teacher is not None else None
    records = world.main_first(lambda: _records(recipe, console))
    _warn_of_script(recipe, records, console)
    tokenizer = _tokenizer(recipe, run if goes_on else None, teacher, records)
    captioner = build_neural(recipe, encoder, tokenizer).to(device)
    captioner.check_decoding()
    check_budget(captioner, settings.max_trainable, console)
    if teacher is not None:
        teacher.check_words(tokenizer)
    if not goes_on and settings.start is not None:
        if changed := differences(settings.start, recipe).values():
            say(console, f"changed since train.start={settings.start}: {'; '.join(changed)}")
        start_with(captioner, settings.start)
    training, validation = _sources(recipe, records, encoder, teacher, console, world)
    job = Job(captioner, settings, loss, training, validation, run, teacher, world)
    world.check_equal(job.where.data)
    _say_share(settings, world, console)
    job.check_lengths()
    if not goes_on:
        job.check_decoder()
    return job


def _say_share(settings: Train, world: World, console: Console) -> None:
    if world.size == 1:
        return
    say(console, f"{world.size} processes share each batch of {count(settings.batch_size, 'caption')}")
    if settings.batch_size < world.size * settings.captions_per_image:
        advice = f"use train.batch_size={world.size * settings.captions_per_image} or more"
        say(console, f"some of them have no photo in such a batch; {advice}")


def _tokenizer(recipe: Recipe, run: Path | None, teacher: Teacher | None, records: Sequence[Record]) -> Tokenizer:
    """The tokenizer of the resumed run, or of `train.start`, or of the teacher, or a new one from the captions."""
    start = recipe["train"]["start"]
    if run is not None or start is not None:
        # The weights were trained with these ids. A newly fitted tokenizer may give other ids.
        folder = run if run is not None else start_folder(start, recipe)
        loaded: Tokenizer = TOKENIZERS[recipe["tokenizer"]["name"]].load(folder)
        return loaded
    if teacher is not None:
        return teacher.tokenizer
    captions = [text for record in records if record.split == "train" for text in record.references]
    learnt: Tokenizer = build(recipe, "tokenizer").fit(captions)
    return learnt


def _warn_of_script(recipe: Recipe, records: Sequence[Record], console: Console) -> None:
    """Say so before training if captions have no blanks between words, but the tokenizer or the scores need them."""
    found = unspaced(text for record in records for text in record.references)
    if found is None:
        return
    name = recipe["tokenizer"]["name"]
    if name in CUT_AT_BLANKS:
        say(console, f"{found}: tokenizer {name!r} makes one word of a whole caption; use tokenizer=sentencepiece")
    if recipe["evaluate"]["words"] == NAME:
        say(console, f"{found}: scores count a whole caption as one word; use evaluate.words=characters")


def _records(recipe: Recipe, console: Console) -> Sequence[Record]:
    """All records of the data. Notes about them go to the console; InputError if no training photo has a caption."""
    records: Sequence[Record] = build(recipe, "data")
    for line in notes(records):
        say(console, line)
    captioned = {record.split for record in records if record.references}
    if "train" not in captioned:
        raise InputError(
            f"is {recipe['data']['name']}, but the data has no captioned training photos",
            key="data.name",
            value=recipe["data"]["name"],
            advice="add captions of split train",
        )
    if "val" not in captioned:
        say(console, "there are no captioned validation photos, so the last weights count as the best")
    return records


def _sources(
    recipe: Recipe,
    records: Sequence[Record],
    encoder: Encoder,
    teacher: Teacher | None,
    console: Console,
    world: World,
) -> tuple[Source, Source | None]:
    """The captioned photos for training and validation. Skipped photos are reported here, before the first step."""
    splits = {name: [r for r in records if r.references and r.split == name] for name in ("train", "val")}
    seen_by = encoder if teacher is None else teacher.beside(encoder)
    if world.size > 1:
        fill_share(world.share(splits["train"]), seen_by, console, recipe["train"]["augment"])
        fill_share(world.share(splits["val"]), encoder, console)
        world.sum()  # now all features are in the cache
    training = open_augmented(splits["train"], seen_by, recipe["train"]["augment"], console)
    validation = open_source(splits["val"], encoder, console=console, what="validation photo")
    unread_photos = () if encoder.given is not None else (*training.left_out, *validation.left_out)
    if getattr(records, "left_out", ()) or unread_photos:
        say(console, f"`showtell doctor {recipe['data'].get('root') or 'RECIPE'}` lists them")
    return training, validation if validation.records else None
