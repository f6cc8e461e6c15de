"""The course's decoder, by its names: GPT-2 small. Students add cross-attention; here it is Showtell's `gpt2`.

`Attention`, `Block` and `Decoder` hold Showtell's layers under the course's names, so that the names of
decoder_model.bin fit: `h.0.attn.c_attn.weight`. The file stores its maps transposed; `Config.checkpoint` turns them.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from showtell.decoders.gpt2 import GPT2
from showtell.features import Features
from showtell.layers import attention, blocks

__all__ = ["Attention", "Block", "Config", "Decoder"]


class Config:
    """Sizes of GPT-2 small, and the file of its weights (None: drawn at random)."""

    def __init__(self, checkpoint: str | None = None) -> None:
        self.n_layer, self.n_head, self.n_embd = 12, 12, 768
        self.vocab_size, self.block_size, self.checkpoint = 50257, 1024, checkpoint


class Attention(nn.Module):
    """Causal self-attention: words (B T n_embd) -> words. `own` is Showtell's layer, a new one if None."""

    def __init__(self, cfg: Config, own: nn.Module | None = None) -> None:
        super().__init__()
        self.n_head, self.n_embd = cfg.n_head, cfg.n_embd
        own = own or attention.FusedAttention(cfg.n_embd, cfg.n_head)
        object.__setattr__(self, "own", own)  # its parts have the course's names below, and only these
        self.c_attn, self.c_proj = own.qkv, own.out

    def forward(self, x: Tensor) -> Tensor:
        nothing = x.new_empty(len(x), 1, self.n_head, 0, self.n_embd // self.n_head)
        return self.own.over_words(x[:, None], (nothing, nothing), None, maps=False)[0][:, 0]


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)). Cross-attention, if `own` has it, is used by `Decoder`."""

    def __init__(self, cfg: Config, own: nn.Module | None = None) -> None:
        super().__init__()
        looks, gelu = attention.FusedAttention(cfg.n_embd, cfg.n_head), nn.GELU(approximate="tanh")
        own = own or blocks.Block(looks, None, cfg.n_embd, 4 * cfg.n_embd, 0.0, gelu)
        self.ln_1, self.attn, self.ln_2 = own.self_norm, Attention(cfg, own.self_attention), own.mlp_norm
        self.mlp = nn.Sequential(OrderedDict(c_fc=own.mlp[0], act=own.mlp[1], c_proj=own.mlp[3]))
        self.cross_norm, self.cross_attention = own.cross_norm, own.cross_attention

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Decoder(nn.Module):
    """`forward(ids (B,T), visual (B,N,n_embd) or None)` -> logits (B,T,vocab_size); ids are cut to block_size."""

    def __init__(self, cfg: Config) -> None:
        super().__init__()
        sizes = {"dim": cfg.n_embd, "layers": cfg.n_layer, "heads": cfg.n_head, "max_length": cfg.block_size}
        gpt2 = GPT2(cfg.n_embd, cfg.vocab_size, weights=cfg.checkpoint or "random", map="none", **sizes)
        object.__setattr__(self, "gpt2", gpt2)
        self.block_size = cfg.block_size
        layers = nn.ModuleList(Block(cfg, own) for own in gpt2.blocks)
        self.transformer = nn.ModuleDict({"wte": gpt2.words, "wpe": gpt2.positions, "h": layers, "ln_f": gpt2.norm})
        self.lm_head = nn.Linear(cfg.n_embd, cfg.vocab_size, bias=False)
        self.lm_head.weight = gpt2.words.weight

    def forward(self, x: Tensor, visual: Tensor | None = None) -> Tensor:
        x = x[:, : self.block_size]
        seen = self.lm_head.weight.new_zeros(len(x), 1, self.lm_head.in_features) if visual is None else visual
        mask = torch.ones(seen.shape[:2], dtype=torch.bool, device=seen.device)
        memory, state = self.gpt2.start(Features(seen, mask, seen.mean(1), seen.new_zeros(*seen.shape[:2], 4)))
        return self.gpt2(memory, state, x[:, None]).logits[:, 0]
