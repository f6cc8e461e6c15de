"""The course's decoder, by its names: GPT-2 small. Students add cross-attention; here it is Showtell's `gpt2`."""

import torch
from torch import Tensor, nn

from showtell.decoders.gpt2 import GPT2
from showtell.features import Features
from showtell.layers.attention import FusedAttention as Attention
from showtell.layers.blocks import Block

__all__ = ["Attention", "Block", "Config", "Decoder"]


class Config:
    """Sizes of GPT-2 small, and the file of its weights (None: drawn at random)."""

    def __init__(self, checkpoint: str | None = None) -> None:
        self.n_layer, self.n_head, self.n_embd = 12, 12, 768
        self.vocab_size, self.block_size, self.checkpoint = 50257, 1024, checkpoint


class Decoder(nn.Module):
    """`forward(ids (B,T), visual (B,N,n_embd) or None)` -> logits (B,T,vocab_size); ids are cut to block_size."""

    def __init__(self, cfg: Config) -> None:
        super().__init__()
        sizes = {"dim": cfg.n_embd, "layers": cfg.n_layer, "heads": cfg.n_head, "max_length": cfg.block_size}
        gpt2 = GPT2(cfg.n_embd, cfg.vocab_size, weights=cfg.checkpoint or "random", map="none", **sizes)
        object.__setattr__(self, "gpt2", gpt2)  # its parts have the course's names below, and only these
        self.block_size = cfg.block_size
        parts = {"wte": gpt2.words, "wpe": gpt2.positions, "h": gpt2.blocks, "ln_f": gpt2.norm}
        self.transformer = nn.ModuleDict(parts)
        self.lm_head = nn.Linear(cfg.n_embd, cfg.vocab_size, bias=False)
        self.lm_head.weight = gpt2.words.weight

    def forward(self, x: Tensor, visual: Tensor | None = None) -> Tensor:
        x = x[:, : self.block_size]
        seen = self.lm_head.weight.new_zeros(len(x), 1, self.lm_head.in_features) if visual is None else visual
        mask = torch.ones(seen.shape[:2], dtype=torch.bool, device=seen.device)
        memory, state = self.gpt2.start(Features(seen, mask, seen.mean(1), seen.new_zeros(*seen.shape[:2], 4)))
        return self.gpt2(memory, state, x[:, None]).logits[:, 0]
