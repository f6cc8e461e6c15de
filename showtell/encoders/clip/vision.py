"""A CLIP -> its photo tower as layers: what looks at pixels, its blocks, and the map into the space of the texts.

Tokens and vector are those after the tower's last norm, as both libraries compute them for the class token.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from showtell.encoders.clip.towers import Towers, refused

Look = Callable[[Any, Tensor], tuple[Tensor, Tensor]]


class Vision(NamedTuple):
    """`look(network, pixels)` gives patches (B N D) and one vector (B D); `project` maps both into the joint space."""

    network: nn.Module
    look: Look
    project: nn.Module
    blocks: Sequence[nn.Module]


class Matrix(nn.Module):
    """x @ weight: open_clip keeps the map as a bare matrix."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight


def vision_of(name: str, towers: Towers) -> Vision:
    """Raises InputError for a tower without patches, such as a ResNet. The towers are of no other use afterwards."""
    network: Any = towers.network
    if hasattr(network, "vision_model"):
        return _of_transformers(name, network)
    visual: Any = getattr(network, "visual", None)
    if hasattr(visual, "trunk"):
        return _of_timm(name, visual)
    if hasattr(visual, "transformer") and hasattr(visual, "ln_post"):
        return _of_open_clip(visual)
    raise _no_patches(name)


def _of_transformers(name: str, network: Any) -> Vision:
    tower = network.vision_model
    if not hasattr(getattr(tower, "encoder", None), "layers"):
        raise _no_patches(name)
    look = _class_and_patches if hasattr(tower.embeddings, "class_embedding") else _patches
    return Vision(tower, look, getattr(network, "visual_projection", nn.Identity()), tower.encoder.layers)


def _class_and_patches(tower: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """CLIP's: only the class token went through the last norm."""
    out = tower(pixel_values=pixels)
    return tower.post_layernorm(out.last_hidden_state[:, 1:]), out.pooler_output


def _patches(tower: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """SigLIP's, which has no class token."""
    out = tower(pixel_values=pixels)
    return out.last_hidden_state, out.pooler_output


def _of_open_clip(visual: Any) -> Vision:
    project = nn.Identity() if visual.proj is None else Matrix(visual.proj)
    visual.proj, visual.output_tokens = None, True
    return Vision(visual, _open_clip, project, visual.transformer.resblocks)


def _open_clip(visual: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    pooled, tokens = visual(pixels)
    return visual.ln_post(tokens) if visual.final_ln_after_pool else tokens, pooled


def _of_timm(name: str, visual: Any) -> Vision:
    if not hasattr(visual.trunk, "blocks"):
        raise _no_patches(name)
    return Vision(visual.trunk, _timm, visual.head, visual.trunk.blocks)


def _timm(trunk: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    out = trunk.forward_features(pixels)
    return out[:, getattr(trunk, "num_prefix_tokens", 0) :], trunk.forward_head(out)


def _no_patches(name: str) -> Exception:
    return refused(name, "has no patch tokens", takes="a CLIP with a Vision Transformer, such as ViT-B/32 or SigLIP")
