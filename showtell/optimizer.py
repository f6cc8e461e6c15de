"""What makes the next step: device, precision, AdamW's groups, the learning rate."""

import torch

from showtell.captioners.neural import Neural
from showtell.errors import InputError
from showtell.recipe import Train

BETAS = (0.9, 0.98)  # as Vaswani et al. 2017: a run of a few thousand steps has no time for 0.999


def device_of(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"train.device is {name!r}: {str(error).splitlines()[0]}; cpu always works") from None


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
    encoder_scale = (settings.encoder_lr or settings.lr) / settings.lr
    for module, scale in ((captioner.decoder, 1.0), (captioner.encoder, encoder_scale)):
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        for decays in (True, False):
            chosen = [parameter for parameter in trained if (parameter.ndim >= 2) == decays]
            if chosen:
                decay = settings.weight_decay if decays else 0.0
                groups.append({"params": chosen, "weight_decay": decay, "scale": scale})
    return torch.optim.AdamW(groups, lr=settings.lr, betas=BETAS)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bf16 where asked for, or where `auto` finds hardware that multiplies it: matrices keep fp32 copies either way."""
    return torch.autocast(
        device.type, torch.bfloat16, enabled=precision == "bf16" or (precision == "auto" and _fast_bf16(device))
    )


def _fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    able = torch.cpu.get_capabilities() if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities") else {}
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
