"""The sections that have no table: what every training has, and what evaluation computes."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from showtell.clip import DEFAULT as CLIP
from showtell.clip.protocols import Name as ClipProtocol
from showtell.encoders.turned import Views
from showtell.settings.bounds import Count, Positive, Share

LOSS = "loss"  # what `train.select` calls the validation loss; all its other names are metrics


@dataclass(frozen=True, kw_only=True)
class Train:
    """How a captioner is trained. Images are counted by their captions: a batch is `batch_size` captions."""

    epochs: Count = 30
    max_steps: Count | None = None
    batch_size: Count = 64
    captions_per_image: Count = 5  # an image is encoded once for so many of its captions
    accumulate: Count = 1
    lr: Positive = 1e-3
    pretrained_lr: Positive | None = None  # of an encoder that trains, and of pretrained weights; null: the same as lr
    max_trainable: Count | None = None  # more parameters than so many stop before training, with a table
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.05
    schedule: Literal["cosine", "milestones", "constant"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    final_lr: Share = 0.05  # where the cosine ends, as a share of lr
    milestones: tuple[Count, ...] = ()  # epochs after which lr is multiplied by gamma
    gamma: Positive = 0.2
    clip: Positive = 1.0
    augment: Views = "none"  # the views of a photo that training sees
    start: str | None = None  # a run whose weights and tokenizer training begins with
    ema: Share = 0.0  # decay of a moving average of the weights, which validation and the saved models use; 0: none
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    select: str = (
        "CIDEr-D"  # the validation metric that names the best epoch, or `loss`; of `A,B` B where A cannot be had
    )
    validate_every: Count = 1
    patience: Count | None = None  # validations without a better one before training stops
    save_every: Count = 200
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    device: str = "auto"
    tensorboard: bool = False
    wandb: Literal["off", "offline", "online"] = "off"


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """What `showtell evaluate` computes."""

    metrics: tuple[str, ...] = ("standard", "hidden")
    batch_size: Count = 64
    clip: str = CLIP  # the model of CLIPScore, as `showtell.clip.Clip` takes it
    clip_protocol: ClipProtocol = "paper"
