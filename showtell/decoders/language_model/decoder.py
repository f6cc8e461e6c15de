"""A causal language model of transformers that sees the image as a prefix: LLaVA's layout, or ClipCap's.

The prefix goes through the model once per photo, and its keys and values are the memory; the words' own are the state.
So `generate` is not used: a step computes one word, captions of a photo share its prefix, and attention maps over the
prefix come with it. What the model computes otherwise than plain causal attention is refused at build (`check.py`).
"""

from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from showtell.decoders.decoder import Decoder, Memory, Output, State, check_length
from showtell.decoders.language import Language
from showtell.decoders.language_model.attention import NAME, Prefix, register
from showtell.decoders.language_model.check import check_config, check_equal
from showtell.decoders.language_model.maps import MAPS
from showtell.decoders.language_model.parts import find
from showtell.features import Features
from showtell.layers.learned import LearnedPrefix, LearnedPrompt
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.language_models import language_model, transformers
from showtell.plumbing.quiet import quiet
from showtell.settings.bounds import Count, Share

KEY = "decoder.model"
SPARE = 1024  # rows that a model's table of words may have beyond its tokenizer's


class LanguageModel(Decoder):
    """`model` is a folder, a Hub id, a GGUF file or `smollm2`; its tokenizer is `pretrained` with the same model.

    `map` turns features into the prefix; `hidden` is the width of `mlp`, `map_layers` the depth of `transformer`.
    `length` is the number of vectors that `transformer` makes, and the other maps of a pooled vector.
    """

    reloadable = True
    max_length: int

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        *,
        model: str = "smollm2",
        sees: Literal["tokens", "pooled"] = "tokens",
        map: Literal["linear", "mlp", "transformer"] = "mlp",
        length: Count = 10,
        hidden: Count | None = None,
        map_layers: Count = 8,
        feature_dropout: Share = 0.0,
        max_length: Count = 256,
    ) -> None:
        super().__init__()
        self.model = _load(model)
        check_config(self.model.config, model)
        self.sees, self.max_length, self.vocabulary_size = sees, max_length, vocabulary_size
        self.attends = sees == "tokens" and map != "transformer"  # its queries are no places in the image
        words = self.model.get_input_embeddings()
        if not vocabulary_size <= len(words.weight) < vocabulary_size + SPARE:
            wrong = f"is {model}, which has {len(words.weight):,} words, and the tokenizer has {vocabulary_size:,}"
            advice = f"take tokenizer=pretrained tokenizer.model={model}; if you did, its tokenizer is another model's"
            raise InputError(wrong, key=KEY, value=model, advice=advice)
        register()
        self.sizes = find(self.model, words)
        self.attention_layers = self.sizes.layers
        with quiet():
            check_equal(self.model, model, self._plain)
        dim = words.weight.shape[1]
        spread = float(words.weight.detach().std())
        one = 1 if sees == "tokens" and map != "transformer" else length
        self.visual = MAPS[map](feature_dim, dim, one, hidden or dim, map_layers, feature_dropout, spread)

    @property
    def pretrained(self) -> list[nn.Module]:
        return [self.model]

    @property
    def reads_tokens(self) -> bool:
        return self.sees == "tokens"

    @property
    def language(self) -> Language:
        return self.sizes

    def fit(self, features: Features) -> None:
        vectors = features.tokens[features.mask] if self.sees == "tokens" else features.pooled
        self.visual.standardise.fit(vectors)

    def start(self, features: Features) -> tuple[Memory, State]:
        if self.sees == "tokens":
            vectors, mask = self.visual(features.tokens, features.mask)
        else:
            real = features.mask.new_ones(len(features.pooled), 1)
            vectors, mask = self.visual(features.pooled[:, None], real)
        images, visual = len(vectors), vectors.shape[1]
        memory: Memory = {"visual": torch.full((images,), visual, device=mask.device)}
        learned, begin = self._learned(images), 0
        if isinstance(self.learned, LearnedPrompt):
            prompt = self.learned.vectors.expand(images, *self.learned.vectors.shape)
            vectors = torch.cat([vectors, prompt.to(vectors.dtype)], dim=1)
            mask = torch.cat([mask, mask.new_ones(prompt.shape[:2])], dim=1)
        elif learned.keys:
            begin = learned.mask.shape[1]
        learned.own = mask
        positions = begin + (mask.long().cumsum(1) - 1).clamp(min=0)
        cache = self._run(learned, positions, inputs_embeds=vectors)[1]
        for i, (keys, values) in enumerate(cache):
            if learned.keys:
                keys, values = torch.cat([keys, learned.keys[i]], 2), torch.cat([values, learned.values[i]], 2)
            memory[f"keys{i}"], memory[f"values{i}"] = keys.contiguous(), values.contiguous()
        memory["mask"] = torch.cat([mask, learned.mask], dim=1)
        state: State = {"position": begin + mask.sum(1, keepdim=True)}
        for i in range(self.sizes.layers):
            nothing = memory[f"keys{i}"].new_empty(images, 1, self.sizes.heads, 0, self.sizes.width)
            state[f"keys{i}"] = state[f"values{i}"] = nothing
        return memory, state

    def _learned(self, images: int) -> Prefix:
        """What the image itself sees in front of it: keys and values that PEFT learns, or nothing."""
        device = next(self.parameters()).device
        if not isinstance(self.learned, LearnedPrefix):
            return Prefix([], [], torch.ones(images, 0, dtype=torch.bool, device=device))
        pairs = self.learned()
        keys = [each.expand(images, *each.shape) for each, _ in pairs]
        values = [each.expand(images, *each.shape) for _, each in pairs]
        return Prefix(keys, values, torch.ones(images, self.learned.length, dtype=torch.bool, device=device))

    def forward(
        self,
        memory: Memory,
        state: State,
        tokens: Int[Tensor, "B K S"],
        attention: bool = False,
        probe: Float[Tensor, "B K S H N"] | None = None,
    ) -> Output:
        captions, steps = tokens.shape[1:]
        check_length(self, state["keys0"].shape[3] + steps)
        layers = range(self.sizes.layers)
        keys, values = ([memory[f"{kind}{i}"] for i in layers] for kind in ("keys", "values"))
        attention = attention and self.attends
        probes = None if probe is None else self._probes(probe, memory["mask"].shape[1])
        prefix = Prefix(keys, values, memory["mask"], captions, maps=attention, probes=probes)
        position = state["position"][..., None] + torch.arange(steps, device=tokens.device)
        past = [(state[f"keys{i}"].flatten(0, 1), state[f"values{i}"].flatten(0, 1)) for i in layers]
        words, positions = tokens.flatten(0, 1), position.flatten(0, 1)
        found, cache = self._run(prefix, positions, past, input_ids=words)
        grown: State = {"position": position[..., -1] + 1}
        for i, (own_keys, own_values) in enumerate(cache):
            grown[f"keys{i}"] = own_keys.unflatten(0, (-1, captions))
            grown[f"values{i}"] = own_values.unflatten(0, (-1, captions))
        logits = found[..., : self.vocabulary_size].unflatten(0, (-1, captions))
        return Output(logits, grown, self._maps(prefix, int(memory["visual"][0])) if attention else None)

    @staticmethod
    def _maps(prefix: Prefix, visual: int) -> Float[Tensor, "B K S H N"]:
        """Over the visual tokens only: what PEFT learnt stands behind them."""
        return torch.cat(prefix.weights, dim=2).transpose(2, 3)[..., :visual]

    def _probes(self, probe: Tensor, columns: int) -> list[Tensor]:
        """Each layer's part of a probe; 0 for what PEFT learnt."""
        padded = pad(probe.transpose(2, 3), (0, columns - probe.shape[-1]))
        return list(padded.chunk(self.sizes.layers, dim=2))

    def _run(
        self, prefix: Prefix, positions: Tensor, past: list[tuple[Tensor, Tensor]] | None = None, **inputs: Any
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """One pass: logits of `input_ids`, or hidden states of `inputs_embeds`; and keys and values of each layer.

        The model makes its logits itself, because some scale them (Cohere, Granite). A prefix needs none.
        """
        from transformers import DynamicCache

        cache = DynamicCache()
        for i, (keys, values) in enumerate(past or []):
            cache.update(keys, values, i)
        inputs |= {"position_ids": positions}
        inputs |= {"past_key_values": cache, "use_cache": True}
        if "input_ids" in inputs:
            out = self.model(prefix=prefix, **inputs).logits
        else:
            out = self.model.base_model(prefix=prefix, **inputs).last_hidden_state
        return out, [(layer.keys, layer.values) for layer in cache.layers]

    def _plain(self, vectors: Tensor, words: Tensor) -> Tensor:
        """Logits of words behind a prefix of such vectors, as `start` and `forward` compute them, in two calls."""
        self.model.set_attn_implementation(NAME)
        images, count = vectors.shape[:2]
        mask = torch.ones(images, count, dtype=torch.bool)
        nothing = Prefix([], [], mask[:, :0], own=mask)
        cache = self._run(nothing, torch.arange(count).expand(images, -1), inputs_embeds=vectors)[1]
        prefix = Prefix([keys for keys, _ in cache], [values for _, values in cache], mask)
        positions = count + torch.arange(words.shape[1]).expand(images, -1)
        first, past = self._run(prefix, positions[:, :1], input_ids=words[:, :1])
        rest, _ = self._run(prefix, positions[:, 1:], past, input_ids=words[:, 1:])
        return torch.cat([first, rest], dim=1)


def _load(model: str) -> Any:
    library = transformers(KEY, model)
    folder = language_model(model, KEY)
    try:
        with quiet():
            found, report = library.AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
            )
    except Exception as error:  # an unknown or damaged model makes it raise nearly anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        wrong = f"is {model}, which is no causal language model that transformers reads: {reason}"
        raise InputError(wrong, key=KEY, value=model) from error
    if missing := report["missing_keys"]:
        listed = ", ".join(sorted(missing)[:3])
        wrong = f"is {model}, whose weights lack {len(missing)} tensors (first: {listed})"
        raise InputError(wrong, key=KEY, value=model, advice="bring the whole model")
    if getattr(found.config, "is_encoder_decoder", False):
        raise RecipeError(f"is {model}, which has an encoder of its own", key=KEY, value=model, takes="a decoder")
    _without_dropout(found)
    return found.eval()


def _without_dropout(model: nn.Module) -> None:
    """A pretrained model's own dropout would disturb it where only new parts train."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)
