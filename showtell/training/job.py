"""One training: its parts, its progress, and how it makes one step, one validation and one checkpoint.

The next step depends only on the weights, the optimizer's moments, the state of the random generator and the step
number. A checkpoint holds all four, so a resumed run ends with the same weights.
"""

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from showtell import checkpoint
from showtell.cache import Source
from showtell.captioners.neural import Neural
from showtell.encoders.frozen import digest
from showtell.features import first, to
from showtell.losses.loss import Learnt, Loss
from showtell.peft.freeze import inserted
from showtell.plumbing.device import autocast
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import at_home, clear, write_json
from showtell.plumbing.origin import MADE, begun
from showtell.recipe.fixed import Train
from showtell.tokenizers.captions import Captions
from showtell.training.average import Average
from showtell.training.batches import collate, epoch_steps
from showtell.training.log import FILES
from showtell.training.optimizer import clip, learning_rate, make_optimizer
from showtell.training.processes import ALONE, World
from showtell.training.resume import (
    UNAVERAGED,
    Checkpoint,
    Where,
    differences,
    digests,
    own_seed,
    random_name,
    restore_random,
)
from showtell.training.teacher import Teacher
from showtell.training.validation import Validation, clip_of, goodness

HIGHEST_RATE = 1e12  # a larger one overflows in the optimizer
KEPT = "epochs"  # the folder of the captioners that `train.keep_every` keeps
FIT_IMAGES = 512  # training images on which the decoder measures frozen features (`Decoder.fit`)


def start_with(captioner: Neural, start: str) -> None:
    """Load the weights of the run `start`. Raises InputError, with the options that differ, if they do not fit."""
    path = at_home(start, "train.start") / checkpoint.MODEL
    tensors = checkpoint.read_tensors(path)
    # What was frozen there and trains now begins as its source has it; what PEFT inserts now begins as it was drawn.
    for name, tensor in checkpoint.weights(captioner.encoder, captioner.decoder).items():
        part = captioner.encoder if name.startswith("encoder.") else captioner.decoder
        if part.reloadable or inserted(name):
            tensors.setdefault(name, tensor)
    try:
        checkpoint.restore(captioner.encoder, captioner.decoder, tensors, str(path))
    except InputError as error:
        others = differences(start, captioner.recipe).values()
        why = f"; {'; '.join(others)}" if others else ""
        raise InputError(
            f"is {start}, whose weights do not fit: {error}{why}", key="train.start", value=start
        ) from None


class Job:
    """One training: its parts, its photos and captions, its progress (`where`). The loop calls step, validate, save."""

    def __init__(
        self,
        captioner: Neural,
        settings: Train,
        loss: Loss,
        training: Source,
        validation: Source | None,
        run: Path,
        teacher: Teacher | None = None,
        world: World = ALONE,
    ) -> None:
        self.captioner, self.settings, self.loss, self.training, self.run = captioner, settings, loss, training, run
        self.teacher, self.world = teacher, world
        learned = [text for record in training.records for text in record.references]
        self.validation = Validation(validation, captioner, learned) if validation is not None else None
        self.words = [[captioner.tokenizer.encode(text) for text in record.references] for record in training.records]
        clip = clip_of(captioner.recipe, captioner.device)
        loss.begin(Learnt(training.records, captioner.tokenizer, captioner.decode, clip, teacher))
        self.optimizer = make_optimizer(captioner, settings)
        sources = [training] if validation is None else [training, validation]
        self.where = Where(data=digests(sources, self.words, self._given()), processes=world.size)
        self.average = self._average()
        self.plan = self._plan(0)
        # If photos have different numbers of captions, later epochs may have a step or two more or less.
        self.total = min(settings.max_steps or 10**12, settings.epochs * len(self.plan))
        self.autocast = autocast(captioner.device, settings.precision)
        self.pace = 0.0  # captions per second, smoothed for the progress bar

    def _plan(self, epoch: int) -> list[Any]:
        s, samples = self.settings, self.loss.samples
        if samples:  # batch_size counts captions, and the loss draws `samples` of each image
            images, size = [words[:1] for words in self.words], max(1, s.batch_size // samples)
            return epoch_steps(images, 1, size, s.accumulate, s.seed, epoch, like_lengths=False)
        like_lengths = not self.captioner.encoder.trains
        return epoch_steps(self.words, s.captions_per_image, s.batch_size, s.accumulate, s.seed, epoch, like_lengths)

    def _given(self) -> dict[str, Tensor]:
        """The weights that this training uses but no checkpoint holds: frozen pretrained parts and the teacher."""
        given = checkpoint.given_back(self.captioner.encoder, self.captioner.decoder)
        if self.teacher is not None:
            given |= {f"teacher.decoder.{name}": part for name, part in self.teacher.decoder.state_dict().items()}
            if self.teacher.encoder is not None:
                sees = self.teacher.encoder.state_dict()
                given |= {f"teacher.encoder.{name}": part for name, part in sees.items()}
        return given

    def _average(self) -> Average:
        return Average((self.captioner.encoder, self.captioner.decoder), self.settings.ema)

    def check_lengths(self) -> None:
        """Raise InputError before the first step if a caption is longer than the decoder can read."""
        begin = len(self.captioner.tokenizer.special.begin)
        longest = begin + max(len(words) for image in self.words for words in image)  # bos and prompt are read too
        if self.validation is not None:
            longest = max(longest, *(captions.tokens.shape[-1] - 1 for _, captions in self.validation.batches))
        readers = {"decoder.max_length": self.captioner.decoder}
        if self.teacher is not None:
            readers["decoder.max_length of loss.teacher"] = self.teacher.decoder
        for option, decoder in readers.items():
            if decoder.max_length is not None and longest > decoder.max_length:
                start = "bos" if begin == 1 else "bos and prompt"
                raise InputError(
                    f"is {decoder.max_length}, but the longest caption has {longest} tokens with its {start}",
                    key=option,
                    value=decoder.max_length,
                    advice=f"use decoder.max_length={longest} or more, or remove that caption from the data",
                )

    def check_decoder(self) -> None:
        """Show the decoder one photo and what captions begin with, so that it can refuse before the first step.

        The number of tokens in a grid is known only after a photo is encoded. Raises RecipeError if the decoder gives
        another number of logits than the tokenizer has tokens: then words beyond it would never be learnt, or said.
        """
        captioner, tokenizer = self.captioner, self.captioner.tokenizer
        captioner.encoder.eval()
        captioner.decoder.eval()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            memory, state = captioner.decoder.start(first(self.training([0])).to(captioner.device))
            begin = torch.tensor([[tokenizer.special.begin]], device=captioner.device)
            columns = captioner.decoder(memory, state, begin).logits.shape[-1]
        if columns != len(tokenizer):
            name = captioner.recipe["decoder"]["name"]
            wrong = f"is {name!r}, which gives {columns} logits, and the tokenizer has {len(tokenizer)} tokens"
            advice = "build it with vocabulary_size columns, and cut off rows beyond them"
            raise RecipeError(wrong, key="decoder.name", value=name, advice=advice)

    def begin(self) -> None:
        if not self.captioner.encoder.trains:
            # Drawn even with train.start, which brings its own measures: all later random numbers depend on it.
            sample = torch.randperm(len(self.words))[:FIT_IMAGES].sort().values
            if self.settings.start is None:
                seen = first(self.training(sample.tolist()))
                self.captioner.decoder.fit(seen.to(self.captioner.device))
        self.world.copy_from_main(self._measured())
        if not self.world.main:
            torch.manual_seed(own_seed(self.settings.seed, self.world.rank))
        self.average = self._average()
        if self.world.main:
            self._begin_folder()
        self.save()  # so that a folder with a model or a log row always has a checkpoint

    def _measured(self) -> list[Tensor]:
        """The weights and the measures that a run saves. All processes begin with those of process 0."""
        return list(checkpoint.weights(self.captioner.encoder, self.captioner.decoder).values())

    def _begin_folder(self) -> None:
        try:
            # A run that was killed before its first checkpoint may have left these, with another tokenizer.
            for path in [*(self.run / name for name in FILES), *self.run.glob("tokenizer.*")]:
                path.unlink(missing_ok=True)
            clear(self.run / KEPT)
        except OSError as error:
            advice = "choose another folder with --run"
            raise InputError(f"cannot hold a run: {error.strerror}", key=str(self.run), advice=advice) from None
        self.captioner.save_settings(self.run)
        write_json(self.run / MADE, begun() | {"parameters": self._parameters()})

    def _parameters(self) -> dict[str, int]:
        """How many numbers the network has, and how many of them this training changes."""
        every = [weight for part in (self.captioner.encoder, self.captioner.decoder) for weight in part.parameters()]
        return {
            "trained": sum(weight.numel() for weight in every if weight.requires_grad),
            "all": sum(weight.numel() for weight in every),
        }

    def go_on(self, saved: Checkpoint) -> None:
        now, then = self.where.data, saved.where.data
        if changed := [name for name in now if then.get(name) != now[name]]:
            raise InputError(
                f"the {' and the '.join(changed)} have changed since {self.run} was trained with them; "
                f"restore the old ones, or {checkpoint.WAY_OUT}"
            )
        if saved.where.finished:  # this time the recipe asks for more epochs or steps
            saved.where.finished = False
            if self.world.main:
                self.captioner.save_settings(self.run)
        plan = self._plan(saved.where.epoch)
        self._check_step(saved.where, len(plan))
        self.where, tensors, captioner, source = saved.where, saved.tensors, self.captioner, str(self.run / "last")
        checkpoint.restore(captioner.encoder, captioner.decoder, tensors["model"], source)
        self.average = self._average()
        if UNAVERAGED in tensors:
            checkpoint.restore(captioner.encoder, captioner.decoder, tensors[UNAVERAGED], source)
        checkpoint.restore_optimizer(self.optimizer, tensors["optimizer"], source)
        restore_random(saved, self.world.rank, self.settings.seed, captioner.device, source)
        self.where.processes = self.world.size
        self.plan = plan

    def _check_step(self, where: Where, steps: int) -> None:
        """Raise InputError if the saved step does not fit the saved epoch, or the current epoch of `steps` steps."""
        about = where.epoch * len(self.plan)
        before = where.step - where.step_in_epoch
        # If photos have different numbers of captions, epochs differ by some steps; we saw 19 of 8,576.
        fits = abs(before - about) <= 3 * where.epoch + about / 10
        if where.step_in_epoch >= steps or not fits:
            raise InputError(
                f"{self.run / 'last' / checkpoint.STATE} is damaged: it says step {where.step} after {where.epoch} "
                f"epochs and {where.step_in_epoch} steps, but an epoch of this training has about {len(self.plan)} "
                f"steps; {checkpoint.WAY_OUT}"
            )

    def save(self) -> None:
        """Process 0 writes a checkpoint; it holds the random states of all."""
        captioner, world = self.captioner, self.world
        states = world.gather(checkpoint.random_tensors(captioner.device))
        self._check_weights()
        if world.main:
            self._write({random_name(rank): state for rank, state in enumerate(states)})

    def _check_weights(self) -> None:
        """Raise InputError if the weights of the processes differ, which only a broken machine or library can do."""
        if self.world.size > 1:
            weights = digest((), checkpoint.weights(self.captioner.encoder, self.captioner.decoder))
            self.world.check_equal({"weights": weights})

    def _write(self, tensors: dict[str, dict[str, Tensor]]) -> None:
        captioner = self.captioner
        tensors["optimizer"] = checkpoint.optimizer_tensors(self.optimizer)
        if self.settings.ema:
            live = checkpoint.weights(captioner.encoder, captioner.decoder)
            tensors[UNAVERAGED] = {name: tensor.clone() for name, tensor in live.items()}
        with self.average.in_place():
            tensors["model"] = checkpoint.weights(captioner.encoder, captioner.decoder)
            if self.validation is None and self.where.step:
                checkpoint.write_tensors(self.run / checkpoint.MODEL, tensors["model"])
            checkpoint.write_training(
                self.run, tensors, asdict(self.where)
            )  # last: if it says finished, all is written

    @property
    def over(self) -> bool:
        settings, where = self.settings, self.where
        limits = [(where.epoch, settings.epochs), (where.step, settings.max_steps), (where.stale, settings.patience)]
        return any(limit is not None and reached >= limit for reached, limit in limits)

    @property
    def epoch_ended(self) -> bool:
        return self.where.step_in_epoch == 0

    def step(self) -> dict[str, Any]:
        """One optimizer step over `accumulate` batches. The loss is the mean over their words or drawn captions."""
        captioner, settings = self.captioner, self.settings
        started = time.perf_counter()
        captioner.encoder.train()
        captioner.decoder.train()
        rate = learning_rate(settings, self.where.step, self.total, self.where.epoch, self.where.lowered)
        if rate > HIGHEST_RATE:
            raise InputError(
                f"is {settings.lr}, and grew to {rate:g}", key="train.lr", advice="lower it, or train.gamma"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        self.optimizer.zero_grad(set_to_none=True)
        special = captioner.tokenizer.special
        shares = [self.world.share(groups) for groups in self.plan[self.where.step_in_epoch]]
        batches = [collate(groups, self.words, special) for groups in shares if groups]
        count, learnt = self.world.sum(
            sum(self.loss.units(captions) for _, captions in batches),
            sum(self.loss.captions(captions) for _, captions in batches),
        )
        total, rewards = 0.0, 0.0
        for images, captions in batches:
            with self.autocast:
                loss, reward = self._loss(images.tolist(), captions)
            (loss / count).backward()
            total, rewards = total + float(loss.detach()), rewards + reward * self.loss.captions(captions)
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        total, rewards = self.world.sum_gradients(parameters, total, rewards)
        self.world.average_statistics((captioner.encoder, captioner.decoder))
        norm = clip(parameters, settings)
        if not torch.isfinite(norm):
            raise InputError(
                f"the loss or its gradient is not finite at step {self.where.step}; lower train.lr (now {settings.lr})"
            )
        self.optimizer.step()
        self.average.update(self.where.step)
        self._count_step()
        pace = round(learnt / (time.perf_counter() - started), 1)
        row = {"step": self.where.step, "epoch": self.where.epoch, "loss": total / count, "lr": rate}
        return row | ({"reward": rewards / learnt} if self.loss.samples else {}) | {"captions_per_second": pace}

    def _loss(self, images: list[int], captions: Captions) -> tuple[Tensor, float]:
        """The summed loss of a batch, and the mean reward of its drawn captions (0 if the loss draws none)."""
        seen = to(self.training(images), self.captioner.device)
        captions, done = captions.to(self.captioner.device), self.where.step / self.total
        return self.loss(self.captioner.decoder, seen, captions, images, done)

    def _count_step(self) -> None:
        self.where.step += 1
        self.where.step_in_epoch += 1
        if self.where.step_in_epoch == len(self.plan):
            self.where.epoch, self.where.step_in_epoch = self.where.epoch + 1, 0
            self.plan = self._plan(self.where.epoch)

    def validate(self) -> dict[str, float]:
        """Validate if it is due, and save the weights if they are the best so far."""
        if self.validation is None or (self.where.epoch % self.settings.validate_every and not self.over):
            return {}
        with self.average.in_place():
            return self._measure(self.validation)

    def _measure(self, validation: Validation) -> dict[str, float]:
        with self.autocast:
            measured = validation.measure(self.world)
        value = goodness(self.settings.select, measured)
        self.where.stale += 1
        known = math.isfinite(value)
        if self.where.best is None or (known and value > self.where.best):
            self.where.best = value if known else None  # no number is larger than NaN, so NaN would stay the best
            self.where.best_step, self.where.stale = self.where.step, 0
            if self.world.main:
                model = checkpoint.weights(self.captioner.encoder, self.captioner.decoder)
                checkpoint.write_tensors(self.run / checkpoint.MODEL, model)
        elif self.where.stale % self.settings.plateau == 0:
            self.where.lowered += 1
        return measured

    def keep(self) -> None:
        """After every `keep_every` epochs, write the captioner as it is now into RUN/epochs/N."""
        every = self.settings.keep_every
        if not self.world.main or every is None or not self.epoch_ended or self.where.epoch % every:
            return
        folder = self.run / KEPT / str(self.where.epoch)
        clear(folder)
        try:
            with self.average.in_place():
                self.captioner.save_pretrained(folder)
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", key=str(folder)) from None

    def shown(self, row: dict[str, Any]) -> dict[str, str]:
        """What the progress bar shows beside time and ETA."""
        self.pace = 0.9 * (self.pace or row["captions_per_second"]) + 0.1 * row["captions_per_second"]
        numbers = {"loss": f"{row['loss']:.3f}", "captions/s": f"{self.pace:.0f}"}
        if self.where.best is not None:
            numbers[f"best {self.settings.select}"] = f"{abs(self.where.best):.3f}"
        return numbers
