"""The two sections with fixed options instead of a table of parts: `train` and `evaluate`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from showtell.clip import DEFAULT as CLIP
from showtell.clip.protocols import Name as ClipProtocol
from showtell.encoders.turned import Views
from showtell.settings.bounds import Count, Positive, Rate, Share

LOSS = "loss"  # what `train.select` calls the validation loss; all its other names are metrics


@dataclass(frozen=True, kw_only=True)
class Train:
    """How a captioner is trained. A batch has `batch_size` captions, not images."""

    epochs: Count = 30
    max_steps: Count | None = None
    batch_size: Count = 64
    captions_per_image: Count = 5  # captions of an image in one batch; the image is encoded once for them
    accumulate: Count = 1
    lr: Rate = 1e-3
    pretrained_lr: Rate | None = None  # of an encoder that trains, and of pretrained weights; null: the same as lr
    max_trainable: Count | None = None  # more parameters than so many stop before training, with a table
    weight_decay: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = 0.05
    schedule: Literal["cosine", "milestones", "plateau", "constant"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    final_lr: Share = 0.05  # the cosine ends at lr * final_lr
    milestones: tuple[Count, ...] = ()  # epochs or steps after which lr is multiplied by gamma
    milestone_unit: Literal["epoch", "step"] = "epoch"  # what `milestones` counts
    plateau: Count = 8  # validations without a better one, after which lr is multiplied by gamma
    gamma: Rate = 0.2
    clip: Positive = 1.0
    clip_by: Literal["norm", "value"] = "norm"  # of all gradients together, or of each number by itself
    augment: Views = "none"  # the views of a photo that are used in training
    start: str | None = None  # a run: training begins with its weights and tokenizer
    ema: Share = 0.0  # decay of a moving average of the weights; validation and the saved model use it; 0: none
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    select: str = (
        "CIDEr-D"  # validation metric that chooses the best epoch, or `loss`; `A,B` is B if A cannot be computed
    )
    validate_every: Count = 1
    patience: Count | None = None  # training stops after so many validations without a better one
    save_every: Count = 200
    keep_every: Count | None = None  # epochs between captioners that stay, in RUN/epochs/N
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    device: str = "auto"
    tensorboard: bool = False
    wandb: Literal["off", "offline", "online"] = "off"


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """What `showtell evaluate` computes."""

    metrics: tuple[str, ...] = ("standard", "hidden")
    words: Literal["ptb", "characters"] = "ptb"  # `characters`: for scripts without blanks between words
    batch_size: Count = 64
    clip: str = CLIP  # the model of CLIPScore, a name for `showtell.clip.Clip`
    clip_protocol: ClipProtocol = "paper"
