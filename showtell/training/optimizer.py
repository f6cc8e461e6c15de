"""What makes the next step: AdamW's groups, the learning rate."""

import torch
from torch import Tensor, nn

from showtell.captioners.neural import Neural
from showtell.decoders.decoder import Decoder
from showtell.peft.freeze import inserted
from showtell.recipe.fixed import Train

Named = tuple[str, nn.Parameter]
BETAS = (0.9, 0.98)  # as Vaswani et al. 2017: a run of a few thousand steps has no time for 0.999


def learning_rate(settings: Train, step: int, total: int, epoch: int) -> float:
    """Warm-up is linear; then a cosine to `final_lr`, drops at milestones, or nothing."""
    if step < settings.warmup_steps:
        return settings.lr * (step + 1) / settings.warmup_steps
    if settings.schedule == "cosine":
        done = min(1.0, (step - settings.warmup_steps) / max(1, total - settings.warmup_steps))
        cosine = 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * done))))
        return settings.lr * (settings.final_lr + (1 - settings.final_lr) * cosine)
    if settings.schedule == "milestones":
        return settings.lr * settings.gamma ** sum(epoch >= milestone for milestone in settings.milestones)
    return settings.lr


def make_optimizer(captioner: Neural, settings: Train) -> torch.optim.AdamW:
    """AdamW; only matrices decay. `scale` is a group's learning rate as a share of `train.lr`."""
    groups = []
    pretrained_scale = (settings.pretrained_lr or settings.lr) / settings.lr
    fresh, pretrained = _parts(captioner.decoder)
    encoder = _trained(captioner.encoder)
    for trained, scale in ((fresh, 1.0), (pretrained, pretrained_scale), (encoder, pretrained_scale)):
        for decays in (True, False):
            chosen = [parameter for name, parameter in trained if _is_matrix(name, parameter) == decays]
            if chosen:
                decay = settings.weight_decay if decays else 0.0
                groups.append({"params": chosen, "weight_decay": decay, "scale": scale})
    return torch.optim.AdamW(groups, lr=settings.lr, betas=BETAS)


def _trained(module: nn.Module) -> list[Named]:
    return [named for named in module.named_parameters() if named[1].requires_grad]


def _parts(decoder: Decoder) -> tuple[list[Named], list[Named]]:
    """The decoder's parameters that train: those drawn here, and those that its named source gave."""
    given: set[int] = set()
    if decoder.reloadable:
        for part in decoder.pretrained:
            given |= {id(parameter) for name, parameter in part.named_parameters() if not inserted(name)}
    trained = _trained(decoder)
    fresh = [named for named in trained if id(named[1]) not in given]
    return fresh, [named for named in trained if id(named[1]) in given]


def _is_matrix(name: str, parameter: Tensor) -> bool:
    """Oslo's biases are (1, H), and no matrices."""
    return parameter.ndim >= 2 and not name.rpartition(".")[2].startswith("bias")
