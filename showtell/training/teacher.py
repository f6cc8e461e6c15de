"""A trained captioner, or several as one, whose probabilities a new one learns beside the words of people.

Knowledge distillation (Hinton et al. 2015, arXiv:1503.02531), word by word (Kim and Rush 2016, arXiv:1606.07947): what
an ensemble knows, or one that sees by more networks, goes into one decoder, which then captions as fast as any.
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
from showtell.settings.text import Recipe
from showtell.tokenizers.captions import Tokenizer


class Teacher:
    """`teacher(features, tokens)`: it has the words of the captioner that learns, and its features or its own."""

    def __init__(self, name: str, recipe: Recipe, encoder: Encoder, device: torch.device) -> None:
        """`encoder` is the learner's. RecipeError if it has other words; InputError if there is none."""
        self.name = name
        with torch.random.fork_rng(devices=[]):  # building it draws, and who is taught begins as who is not
            captioner = load(Path(name).expanduser())
        if not isinstance(captioner, Neural | Ensemble):
            raise RecipeError(f"loss.teacher={name}: it is a {captioner.name!r}, which has no probabilities to teach")
        own = (captioner.members[0] if isinstance(captioner, Ensemble) else captioner).recipe
        for key, now in recipe["tokenizer"].items():
            if (its := own["tokenizer"].get(key)) != now:
                raise RecipeError(f"loss.teacher={name}: its tokenizer.{key} is {its}, not {now}; take the same")
        self.tokenizer, self.decoder = captioner.tokenizer, captioner.decoder.to(device).eval()
        sight = captioner.encoder.to(device).eval().requires_grad_(False)
        # A fingerprint leaves out what is done with the features afterwards, such as pooling; their sections do not.
        alike = all(own[section] == recipe[section] for section in ("encoder", "regions"))
        same = alike and sight.fingerprint == encoder.fingerprint and not (sight.trains or encoder.trains)
        self.encoder = None if same else sight

    def beside(self, encoder: Encoder) -> Encoder:
        """What both must see by: the learner's encoder, and where the teacher has another, that one as well."""
        if self.encoder is None:
            return encoder
        return Joined([encoder, *(self.encoder.encoders if self.encoder.several else [self.encoder])])

    def check_words(self, tokenizer: Tokenizer) -> None:
        """InputError unless an id is the same word for both, as where training began with another run."""
        if _files(tokenizer) != _files(self.tokenizer):
            raise InputError(f"loss.teacher={self.name}: it has other words than who learns; train both from the same")

    @torch.no_grad()
    def __call__(self, features: Seen, tokens: Tensor) -> Tensor:
        """What it says next after each word of captions (B K S) -> log probabilities (B K S V), without gradients.

        `features` are those of the encoder that `beside` gives.
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
