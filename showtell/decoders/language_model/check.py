"""Whether Showtell's attention computes exactly what a language model computes: asked at build, by its config and by a
small pass. What fails would give wrong captions silently.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from showtell.plumbing.errors import RecipeError

KEY = "decoder.model"
CLOSE = 1e-3  # of the largest logit
TAKES = "models with plain causal attention in all layers, such as GPT-2, Llama, Qwen3, OPT, GPT-NeoX or Phi3"


def check_config(config: Any, name: str) -> None:
    """Refuse sliding windows, linear attention and caches that layers share: a cut caption would differ there."""
    kinds = set(getattr(config, "layer_types", None) or ())
    window = getattr(config, "sliding_window", None)
    uses_window = window is not None and getattr(config, "use_sliding_window", True)
    wrong = None
    if any("sliding" in kind or "chunked" in kind for kind in kinds) or (uses_window and not kinds):
        wrong = "has a sliding window" + (f" of {window} tokens" if window is not None else "")
    elif kinds - {"full_attention"}:
        wrong = f"has layers of {', '.join(sorted(kinds - {'full_attention'}))}"
    elif getattr(config, "num_kv_shared_layers", 0):
        wrong = "has layers that share their keys and values"
    if wrong is not None:
        raise RecipeError(f"is {name}, which {wrong}", key=KEY, value=name, takes=TAKES)


@torch.no_grad()
def check_equal(model: Any, name: str, ours: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Compare logits of three words behind two vectors, cut in two calls, with the model's own in one call."""
    words = torch.tensor([[0, 1, 2], [2, 1, 0]])
    embedded = model.get_input_embeddings()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vectors = torch.randn(2, 2, embedded.weight.shape[1]) * embedded.weight.std()
    reason = None
    try:
        model.set_attn_implementation("eager")
        whole = torch.cat([vectors, embedded(words)], dim=1)
        positions = torch.arange(5).expand(2, -1)
        wanted = model(inputs_embeds=whole, position_ids=positions).logits[:, 2:]
        found = ours(vectors, words)
        error = float((wanted - found).abs().max() / wanted.abs().max())
        if not error < CLOSE:
            reason = f"logits differ by {error:.2g} of the largest"
    except Exception as failure:  # models of other shapes raise nearly anything
        reason = (str(failure).strip() or type(failure).__name__).splitlines()[0]
    if reason is not None:
        wrong = f"is {name}, which computes attention in its own way ({reason})"
        raise RecipeError(wrong, key=KEY, value=name, takes=TAKES)
