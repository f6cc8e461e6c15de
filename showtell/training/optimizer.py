"""AdamW with its groups of parameters, and the learning rate of each step."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from showtell.captioners.neural import Neural
from showtell.decoders.decoder import Decoder
from showtell.peft.freeze import inserted
from showtell.recipe.fixed import Train

Named = tuple[str, nn.Parameter]
BETAS = (0.9, 0.98)  # as Vaswani et al. 2017: 0.999 averages over 1,000 steps, too many for a run of a few thousand


def learning_rate(settings: Train, step: int, total: int, epoch: int, lowered: int = 0) -> float:
    """Linear warm-up; then a cosine down to `lr * final_lr`, or a factor `gamma` after each milestone, or constant.

    `lowered` counts the plateaus so far, for schedule plateau: each multiplies the rate by `gamma` too.

    With lr 1, warmup_steps 4 and schedule constant, the steps have 0.25, 0.5, 0.75, 1, 1, ... With milestones [75, 90],
    gamma .2 and milestone_unit step, steps 0 to 74 have 1, steps 75 to 89 have .2, and all others .04.
    """
    if step < settings.warmup_steps:
        return settings.lr * (step + 1) / settings.warmup_steps
    if settings.schedule == "cosine":
        done = min(1.0, (step - settings.warmup_steps) / max(1, total - settings.warmup_steps))
        cosine = 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * done))))
        return settings.lr * (settings.final_lr + (1 - settings.final_lr) * cosine)
    if settings.schedule == "milestones":
        now = step if settings.milestone_unit == "step" else epoch
        return settings.lr * settings.gamma ** sum(now >= milestone for milestone in settings.milestones)
    if settings.schedule == "plateau":
        return settings.lr * settings.gamma**lowered
    return settings.lr


def clip(parameters: Sequence[nn.Parameter], settings: Train) -> Tensor:
    """Shrink large gradients in place. Returns their norm before, which is not finite if one of them is not.

    With clip 5, the gradients 3 and -12 become 1.2 and -4.9 by norm (both are scaled), 3 and -5 by value.
    """
    if settings.clip_by == "norm":
        return torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
    norm = torch.nn.utils.get_total_norm([each.grad for each in parameters if each.grad is not None])
    torch.nn.utils.clip_grad_value_(parameters, settings.clip)
    return norm


def make_optimizer(captioner: Neural, settings: Train) -> torch.optim.AdamW:
    """AdamW with weight decay only for matrices. A group's learning rate is `scale` times that of the decoder."""
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
    """Whether weight decay applies. The biases of the Oslo decoder are (1, H), but they are no matrices."""
    return parameter.ndim >= 2 and not name.rpartition(".")[2].startswith("bias")
