"""One training: its parts, where it stands, and what one step, one validation and one checkpoint of it are.

The next step depends on weights, moments, the random generator's state and the step's number alone, and all four are
in a checkpoint.
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
from showtell.features import first, to
from showtell.losses.loss import Learnt, Loss
from showtell.peft.freeze import inserted
from showtell.plumbing.device import autocast
from showtell.plumbing.errors import InputError
from showtell.recipe.fixed import Train
from showtell.tokenizers.captions import Captions
from showtell.training.average import Average
from showtell.training.batches import collate, epoch_steps
from showtell.training.log import FILES
from showtell.training.optimizer import learning_rate, make_optimizer
from showtell.training.resume import UNAVERAGED, Checkpoint, Where, differences, digests
from showtell.training.teacher import Teacher
from showtell.training.validation import Validation, clip_of, goodness

FIT_IMAGES = 512  # on so many training images the decoder measures frozen features


def start_with(captioner: Neural, start: str) -> None:
    """Take over the weights of the run `start`; InputError, which says what differs, where they do not fit."""
    path = Path(start).expanduser() / checkpoint.MODEL
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
        why = f"its {', '.join(others)}: " if others else ""
        raise InputError(f"train.start={start}: {why}{error}") from None


class Job:
    """One training: parts, sources and where it stands. `step`, `validate`, `save` are the verbs of `train`."""

    def __init__(
        self,
        captioner: Neural,
        settings: Train,
        loss: Loss,
        training: Source,
        validation: Source | None,
        run: Path,
        teacher: Teacher | None = None,
    ) -> None:
        self.captioner, self.settings, self.loss, self.training, self.run = captioner, settings, loss, training, run
        self.teacher = teacher
        learned = [text for record in training.records for text in record.references]
        self.validation = Validation(validation, captioner, learned) if validation is not None else None
        self.words = [[captioner.tokenizer.encode(text) for text in record.references] for record in training.records]
        clip = clip_of(captioner.recipe, captioner.device)
        loss.begin(Learnt(training.records, captioner.tokenizer, captioner.decode, clip, teacher))
        self.optimizer = make_optimizer(captioner, settings)
        sources = [training] if validation is None else [training, validation]
        self.where = Where(data=digests(sources, self.words, self._given()))
        self.average = self._average()
        self.plan = self._plan(0)
        # Where photos have different numbers of captions, epochs differ by a step or two from the first.
        self.total = min(settings.max_steps or 10**12, settings.epochs * len(self.plan))
        self.autocast = autocast(captioner.device, settings.precision)
        self.pace = 0.0  # captions a second, smoothed, for people

    def _plan(self, epoch: int) -> list[Any]:
        s, samples = self.settings, self.loss.samples
        if samples:  # an image counts for the captions that are drawn of it
            images, size = [words[:1] for words in self.words], max(1, s.batch_size // samples)
            return epoch_steps(images, 1, size, s.accumulate, s.seed, epoch, like_lengths=False)
        like_lengths = not self.captioner.encoder.trains
        return epoch_steps(self.words, s.captions_per_image, s.batch_size, s.accumulate, s.seed, epoch, like_lengths)

    def _given(self) -> dict[str, Tensor]:
        """The weights that this training reads and no checkpoint holds."""
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
        """Refuse captions that the decoder has no positions for, before a step is made."""
        begin = len(self.captioner.tokenizer.special.begin)
        longest = begin + max(len(words) for image in self.words for words in image)  # what it begins with is read too
        if self.validation is not None:
            longest = max(longest, *(captions.tokens.shape[-1] - 1 for _, captions in self.validation.batches))
        readers = {"decoder.max_length": self.captioner.decoder}
        if self.teacher is not None:
            readers["decoder.max_length of loss.teacher"] = self.teacher.decoder
        for option, decoder in readers.items():
            if decoder.max_length is not None and longest > decoder.max_length:
                raise InputError(
                    f"{option} is {decoder.max_length}, and the longest caption takes {longest} tokens with its "
                    f"{'bos' if begin == 1 else 'bos and prompt'}; "
                    f"use decoder.max_length={longest} or more, or leave that caption out"
                )

    def check_regions(self) -> None:
        """Let a decoder for so many regions look at a photo: how many a grid has is not known before."""
        captioner = self.captioner
        if captioner.decoder.regions is not None:
            captioner.encoder.eval()
            captioner.decoder.eval()
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                captioner.decoder.start(first(self.training([0])).to(captioner.device))

    def begin(self) -> None:
        if not self.captioner.encoder.trains:
            # Drawn for a start too, which brings its own measures: every later random number depends on it.
            sample = torch.randperm(len(self.words))[:FIT_IMAGES].sort().values
            if self.settings.start is None:
                seen = first(self.training(sample.tolist()))
                self.captioner.decoder.fit(seen.to(self.captioner.device))
        self.average = self._average()
        try:
            # Of a run that was killed before its first checkpoint; its tokenizer may have been another.
            for path in [*(self.run / name for name in FILES), *self.run.glob("tokenizer.*")]:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{self.run} cannot hold a run: {error.strerror}; name another with --run") from None
        self.captioner.save_settings(self.run)
        self.save()  # so that whatever holds a model or a row holds a checkpoint too

    def go_on(self, saved: Checkpoint) -> None:
        now, then = self.where.data, saved.where.data
        if changed := [name for name in now if then.get(name) != now[name]]:
            raise InputError(
                f"the {' and the '.join(changed)} have changed since {self.run} was trained with them; "
                f"bring them back, or {checkpoint.WAY_OUT}"
            )
        plan = self._plan(saved.where.epoch)
        self._check_step(saved.where, len(plan))
        self.where, tensors, captioner, source = saved.where, saved.tensors, self.captioner, str(self.run / "last")
        checkpoint.restore(captioner.encoder, captioner.decoder, tensors["model"], source)
        self.average = self._average()
        if UNAVERAGED in tensors:
            checkpoint.restore(captioner.encoder, captioner.decoder, tensors[UNAVERAGED], source)
        checkpoint.restore_optimizer(self.optimizer, tensors["optimizer"], source)
        checkpoint.restore_random(tensors["random"], captioner.device, source)
        self.plan = plan

    def _check_step(self, where: Where, steps: int) -> None:
        """InputError if the finished epochs cannot have so many steps, or the one that was begun has only `steps`."""
        about = where.epoch * len(self.plan)
        before = where.step - where.step_in_epoch
        # Epochs differ by some steps if photos have different numbers of captions: 19 of 8,576 were seen.
        fits = abs(before - about) <= 3 * where.epoch + about / 10
        if where.step_in_epoch >= steps or not fits:
            raise InputError(
                f"{self.run / 'last' / checkpoint.STATE} is damaged: it says step {where.step} after {where.epoch} "
                f"epochs and {where.step_in_epoch} steps, and an epoch of this training has about {len(self.plan)}; "
                f"{checkpoint.WAY_OUT}"
            )

    def save(self) -> None:
        captioner = self.captioner
        tensors = {"random": checkpoint.random_tensors(captioner.device)}
        tensors["optimizer"] = checkpoint.optimizer_tensors(self.optimizer)
        if self.settings.ema:
            live = checkpoint.weights(captioner.encoder, captioner.decoder)
            tensors[UNAVERAGED] = {name: tensor.clone() for name, tensor in live.items()}
        with self.average.in_place():
            tensors["model"] = checkpoint.weights(captioner.encoder, captioner.decoder)
            if self.validation is None and self.where.step:
                checkpoint.write_tensors(self.run / checkpoint.MODEL, tensors["model"])
            checkpoint.write_training(self.run, tensors, asdict(self.where))  # last: what it calls finished is there

    @property
    def over(self) -> bool:
        settings, where = self.settings, self.where
        limits = [(where.epoch, settings.epochs), (where.step, settings.max_steps), (where.stale, settings.patience)]
        return any(limit is not None and reached >= limit for reached, limit in limits)

    @property
    def epoch_ended(self) -> bool:
        return self.where.step_in_epoch == 0

    def step(self) -> dict[str, Any]:
        """One optimizer step over `accumulate` batches; its loss is the mean over their words, or drawn captions."""
        captioner, settings = self.captioner, self.settings
        started = time.perf_counter()
        captioner.encoder.train()
        captioner.decoder.train()
        rate = learning_rate(settings, self.where.step, self.total, self.where.epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        self.optimizer.zero_grad(set_to_none=True)
        special = captioner.tokenizer.special
        batches = [collate(groups, self.words, special) for groups in self.plan[self.where.step_in_epoch]]
        count = sum(self.loss.units(captions) for _, captions in batches)
        learnt = sum(self.loss.captions(captions) for _, captions in batches)
        total, rewards = 0.0, 0.0
        for images, captions in batches:
            with self.autocast:
                loss, reward = self._loss(images.tolist(), captions)
            (loss / count).backward()
            total, rewards = total + float(loss.detach()), rewards + reward * self.loss.captions(captions)
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        if not torch.isfinite(norm):
            raise InputError(f"the loss is not finite at step {self.where.step}; lower train.lr (now {settings.lr})")
        self.optimizer.step()
        self.average.update(self.where.step)
        self._count_step()
        pace = round(learnt / (time.perf_counter() - started), 1)
        row = {"step": self.where.step, "epoch": self.where.epoch, "loss": total / count, "lr": rate}
        return row | ({"reward": rewards / learnt} if self.loss.samples else {}) | {"captions_per_second": pace}

    def _loss(self, images: list[int], captions: Captions) -> tuple[Tensor, float]:
        """The summed loss of a batch, and the mean reward of what was drawn (0 if nothing is)."""
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
        """Validate where it is due, and keep the weights if they are the best so far."""
        if self.validation is None or (self.where.epoch % self.settings.validate_every and not self.over):
            return {}
        with self.average.in_place():
            return self._measure(self.validation)

    def _measure(self, validation: Validation) -> dict[str, float]:
        with self.autocast:
            found = validation.measure()
        better = goodness(self.settings.select, found)
        self.where.stale += 1
        known = math.isfinite(better)
        if self.where.best is None or (known and better > self.where.best):
            self.where.best = better if known else None  # nothing would ever be better than NaN
            self.where.best_step, self.where.stale = self.where.step, 0
            model = checkpoint.weights(self.captioner.encoder, self.captioner.decoder)
            checkpoint.write_tensors(self.run / checkpoint.MODEL, model)
        return found

    def shown(self, row: dict[str, Any]) -> dict[str, str]:
        """What the progress bar says beside time and ETA."""
        self.pace = 0.9 * (self.pace or row["captions_per_second"]) + 0.1 * row["captions_per_second"]
        said = {"loss": f"{row['loss']:.3f}", "captions/s": f"{self.pace:.0f}"}
        if self.where.best is not None:
            said[f"best {self.settings.select}"] = f"{abs(self.where.best):.3f}"
        return said
