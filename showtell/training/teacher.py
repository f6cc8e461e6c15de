"""Knowledge distillation: a trained captioner or ensemble (the teacher) helps to train a new one (the student).

The student learns from the words of people and from the teacher's probabilities of each next word (Hinton et al. 2015,
arXiv:1503.02531; for each word, Kim and Rush 2016, arXiv:1606.07947). For example, people wrote `dog`, and the teacher
says 0.6 dog, 0.3 puppy. So one fast decoder learns what a slow ensemble, or one with more encoders, knows.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from showtell.captioners.ensemble import Ensemble
from showtell.captioners.neural import Neural
from showtell.encoders.encoder import Encoder
from showtell.encoders.joined import Joined
from showtell.features import Seen, each
from showtell.loading import load
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import at_home
from showtell.settings.text import Recipe
from showtell.tokenizers.captions import Tokenizer


class Teacher:
    """`teacher(features, tokens)` -> log probabilities. It has the student's tokenizer, and maybe another encoder."""

    def __init__(self, name: str, recipe: Recipe, encoder: Encoder, device: torch.device) -> None:
        """`encoder` is the student's.

        Raises InputError if there is no such captioner; RecipeError if it has another tokenizer, or no probabilities.
        """
        self.name = name
        with torch.random.fork_rng(devices=[]):  # the student begins with the same weights as without a teacher
            captioner = load(at_home(name, "loss.teacher"))
        if not isinstance(captioner, Neural | Ensemble):
            raise RecipeError(
                f"is {name}, a captioner {captioner.name!r}, which has no probabilities to teach",
                key="loss.teacher",
                value=name,
                takes="a run of captioner 'neural', or an ensemble",
            )
        own = (captioner.members[0] if isinstance(captioner, Ensemble) else captioner).recipe
        for key, now in recipe["tokenizer"].items():
            if (its := own["tokenizer"].get(key)) != now:
                raise RecipeError(
                    f"is {name}, whose tokenizer.{key} is {its}, not {now}",
                    key="loss.teacher",
                    value=name,
                    advice=f"use tokenizer.{key}={its}",
                )
        self.tokenizer, self.decoder = captioner.tokenizer, captioner.decoder.to(device).eval()
        sight = captioner.encoder.to(device).eval().requires_grad_(False)
        # Fingerprints ignore what happens to features later, such as pooling, so the sections must be equal too.
        alike = all(own[section] == recipe[section] for section in ("encoder", "regions"))
        same = alike and sight.fingerprint == encoder.fingerprint and not (sight.trains or encoder.trains)
        self.encoder = None if same else sight

    def beside(self, encoder: Encoder) -> Encoder:
        """The encoder that serves both: the student's, joined with the teacher's if that is another."""
        if self.encoder is None:
            return encoder
        return Joined([encoder, *(self.encoder.encoders if self.encoder.several else [self.encoder])])

    def check_words(self, tokenizer: Tokenizer) -> None:
        """Raise InputError if the vocabularies differ, for example because `train.start` brought another one."""
        if _files(tokenizer) != _files(self.tokenizer):
            raise InputError(
                f"is {self.name}, which has another vocabulary than the captioner that learns",
                key="loss.teacher",
                value=self.name,
                advice="use the same train.start for both, or none",
            )

    @torch.no_grad()
    def __call__(self, features: Seen, tokens: Tensor) -> Tensor:
        """The log probabilities (B K S V) of the word after each token (B K S), without gradients.

        `features` come from the encoder that `beside` returns.
        """
        if self.encoder is not None:
            own = each(features)[1:]
            features = own if self.encoder.several else own[0]
        memory, state = self.decoder.start(features)  # type: ignore[arg-type]  # an ensemble's takes a tuple
        logits: Tensor = self.decoder(memory, self.decoder.widen(state, tokens.shape[1]), tokens).logits
        return logits.log_softmax(dim=-1, dtype=torch.float32)


def _files(tokenizer: Tokenizer) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        tokenizer.save(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}
