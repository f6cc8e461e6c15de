"""The cross entropy of each next word. Only the losses shift words against predictions and use the label -100."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy as torch_cross_entropy

from showtell.decoders.decoder import Decoder
from showtell.features import Features, Seen, first
from showtell.losses.loss import Learnt, Loss, Teaching
from showtell.losses.teacher_forcing import SCHEDULES, read_captions
from showtell.settings.bounds import Count, Share
from showtell.tokenizers.captions import Captions

IGNORE = -100
Labels = Literal["caption", "prompt+caption"]


def cross_entropy(
    decoder: Decoder,
    features: Features,
    captions: Captions,
    label_smoothing: float = 0.0,
    *,
    attend_all: float = 0.0,
    truth: float = 1.0,
    piece: int | None = None,
    carry: bool = True,
    taught: Float[Tensor, "B K S V"] | None = None,
    share: float = 0.0,
    labels: Labels = "caption",
) -> tuple[Float[Tensor, ""], int]:
    """The sum of -log p(next word) over all real words, and the number of these words.

    The decoder reads a prompt, but predicts it only if `labels` is `prompt+caption`. `truth`, `piece` and `carry` go to
    `teacher_forcing.read_captions`. `taught` are a teacher's log probabilities; their cross entropy is `share` of the
    loss. `attend_all` is the weight, per word, of doubly stochastic attention (arXiv:1502.03044): over all words of a
    caption, each visual token should get attention 1 in total.

    >>> # bos a dog eos pad  ->  reads: bos a dog eos, predicts: a dog eos (pad is ignored)
    """
    memory, state = decoder.start(features)
    state = decoder.widen(state, captions.tokens.shape[1])
    reading: dict[str, Any] = {"truth": truth, "piece": piece, "carry": carry}
    reading |= {"attention": attend_all > 0, "begin": captions.begin}
    output = read_captions(decoder, memory, state, captions.tokens[..., :-1], **reading)
    logits, real = output.logits, counted(captions, labels)
    targets = captions.tokens[..., 1:].masked_fill(~real, IGNORE)
    loss = torch_cross_entropy(
        logits.flatten(0, 2).float(),
        targets.flatten(),
        ignore_index=IGNORE,
        label_smoothing=label_smoothing,
        reduction="sum",
    )
    if taught is not None:
        loss = (1 - share) * loss - share * (taught[real].exp() * logits[real].float().log_softmax(dim=-1)).sum()
    if attend_all:
        assert output.attention is not None, "a decoder without attention"
        loss = loss + attend_all * real.sum() * _unevenness(output.attention, real, features.mask)
    return loss, int(real.sum())


def counted(captions: Captions, labels: Labels = "caption") -> Bool[Tensor, "B K S"]:
    """True for each target that the loss counts: real words and eos, and the prompt only for `prompt+caption`.

    >>> # bos A photo of dogs eos, with the prompt `A photo of`: the targets are A photo of dogs eos.
    >>> # `caption` counts the last two, `prompt+caption` counts all five.
    """
    real = captions.mask[..., 1:]
    if labels == "prompt+caption" or captions.begin == 1:
        return real
    real = real.clone()
    real[..., : captions.begin - 1] = False
    return real


def _unevenness(
    attention: Float[Tensor, "B K S H N"], real: Bool[Tensor, "B K S"], tokens: Bool[Tensor, "B N"]
) -> Float[Tensor, ""]:
    """The mean of (1 - total attention) ** 2 over real captions and visual tokens; heads are averaged.

    The total is over the real words of a caption. If two words give a token 0.2 and 0.5, its term is (1 - 0.7) ** 2.
    `real` and `tokens` are masks.
    """
    seen = (attention.mean(3) * real[..., None]).sum(2)  # B K N
    counts = real.any(-1)[..., None] & tokens[:, None]
    return ((1 - seen)[counts] ** 2).mean()


class CrossEntropy(Loss):
    """Learn each next word of people's captions (teacher forcing). Options add smoothing, a teacher and others."""

    def __init__(
        self,
        *,
        label_smoothing: Share = 0.1,
        attend_all: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0,  # weight of doubly stochastic attention
        scheduled_sampling: Literal["none", "linear", "exponential", "inverse_sigmoid"] = "none",
        truth: Annotated[float, Field(gt=0, le=1)] = 0.75,  # at the end of training: probability of the true word
        truncate: Count | None = None,  # words after which backpropagation stops
        carry_state: bool = True,  # with truncate: whether a piece begins with the state after the piece before it
        teacher: str | None = None,  # a run or an ensemble; its probabilities are learnt too
        teacher_share: Annotated[float, Field(gt=0, le=1)] = 0.5,  # the teacher's share of the loss
        labels: Labels = "caption",  # whether the words of a prompt are learnt too
    ) -> None:
        self.label_smoothing, self.attend_all, self.truncate = label_smoothing, attend_all, truncate
        self.schedule, self.truth, self.labels = SCHEDULES[scheduled_sampling], truth, labels
        self.carry_state = carry_state
        self.teacher, self.teacher_share = teacher, teacher_share
        self.teaching: Teaching | None = None

    def begin(self, learnt: Learnt) -> None:
        self.teaching = learnt.teacher

    def __call__(
        self, decoder: Decoder, seen: Seen, captions: Captions, images: Sequence[int], done: float
    ) -> tuple[Tensor, float]:
        taught: dict[str, Any] = {}
        if self.teaching is not None:
            taught = {"taught": self.teaching(seen, captions.tokens[..., :-1]), "share": self.teacher_share}
        loss, _ = cross_entropy(
            decoder,
            first(seen),
            captions,
            self.label_smoothing,
            attend_all=self.attend_all,
            truth=self.schedule(done, self.truth),
            piece=self.truncate,
            carry=self.carry_state,
            labels=self.labels,
            **taught,
        )
        return loss, 0.0

    def units(self, captions: Captions) -> int:
        return int(counted(captions, self.labels).sum())
