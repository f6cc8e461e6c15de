"""A foreign network and its input -> answers, ids with their log-probabilities, by transformers' `generate`.

A log-probability is the model's own, whatever forbids words: the log-softmax of raw logits, summed over the words and
eos. For a caption that is given, `generate` is forced to say it, word after word. That is teacher forcing, and it works
the same for every model: the prompt, the photo and the cache are handled by the model's own code.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from showtell.captioners.huggingface.network import Loaded
from showtell.plumbing.quiet import quiet

# Whose part, and not the whole network, generates
SPEAKERS = {"blip-2": "language_model", "instructblip": "language_model", "kosmos-2": "text_model"}


class Answer(NamedTuple):
    """The ids after the prompt, up to eos (if the answer was not cut). `others` are less likely answers."""

    ids: list[int]
    log_probs: list[float]
    others: "tuple[Answer, ...]" = ()


def answers(loaded: Loaded, inputs: Mapping[str, Any], decode: Mapping[str, Any]) -> list[Answer]:
    """The answer to each photo, by a `decode` section."""
    import transformers

    config = transformers.GenerationConfig(**_settings(decode))
    with quiet():
        made = loaded.network.generate(**inputs, generation_config=config)
    ids, log_probs = _generated(made)
    rows = zip(ids.tolist(), log_probs.tolist(), strict=True)
    drawn = [_until_end(*row, ends(loaded.network)) for row in rows]
    each = config.num_return_sequences or 1
    groups = [drawn[at : at + each] for at in range(0, len(drawn), each)]
    if decode["name"] == "sample":  # beam search already returns the best one first
        groups = [sorted(group, key=lambda answer: -sum(answer.log_probs)) for group in groups]
    return [best._replace(others=tuple(rest)) for best, *rest in groups]


def forced(loaded: Loaded, inputs: Mapping[str, Any], captions: Sequence[Sequence[int]]) -> list[Answer]:
    """The same captions with the log-probability of each id, given the photo and the ids before it."""
    import transformers

    class Force(transformers.LogitsProcessor):
        def __init__(self) -> None:
            self.step = 0

        def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
            rows = [ids[self.step] if self.step < len(ids) else end for ids in captions]
            self.step += 1
            only = torch.full_like(scores, -torch.inf)
            return only.scatter_(1, torch.tensor(rows, device=scores.device)[:, None], 0.0)

    end = first_end(loaded)
    steps = max(len(ids) for ids in captions)
    config = transformers.GenerationConfig(**_settings({"name": "greedy", "max_length": steps + 1, "min_length": 0}))
    force = transformers.LogitsProcessorList([Force()])
    with quiet():
        made = loaded.network.generate(**inputs, generation_config=config, logits_processor=force)
    spoken = []
    for row, ids in enumerate(captions):
        log_probs = [made.logits[step][row].float().log_softmax(-1)[word].item() for step, word in enumerate(ids)]
        spoken.append(Answer(list(ids), log_probs))
    return spoken


def _settings(decode: Mapping[str, Any]) -> dict[str, Any]:
    """A `decode` section as arguments of GenerationConfig. Our lengths count bos; its `new tokens` do not."""
    settings: dict[str, Any] = {
        "max_new_tokens": decode["max_length"] - 1,
        "min_new_tokens": max(decode["min_length"] - 1, 0) or None,
        "no_repeat_ngram_size": decode.get("no_repeat_ngram_size", 0),
        "num_beams": decode.get("num_beams", 1),
        "num_return_sequences": decode.get("num_return_sequences", 1),
        "do_sample": decode["name"] == "sample",
        "return_dict_in_generate": True,
        "output_logits": True,
    }
    if settings["do_sample"]:
        settings |= {name: decode[name] for name in ("temperature", "top_k", "top_p")}
    elif settings["num_beams"] > 1:
        settings |= {"length_penalty": decode["length_penalty"], "early_stopping": False}
    return settings


def _generated(made: Any) -> tuple[Tensor, Tensor]:
    """Ids (B T) that were generated, without the prompt, and the log-probability of each.

    How long the prompt is differs by model: LLaVA returns it, BLIP-2 may not, GIT has a bos. But the number of
    generated ids is known: of beams by their indices, else by the number of steps.
    """
    beams = getattr(made, "beam_indices", None)
    rows = len(made.sequences)
    if beams is None:
        beams = torch.arange(rows, device=made.sequences.device)[:, None].expand(-1, len(made.logits))
    longest = int((beams >= 0).sum(-1).max())
    beams, ids = beams[:, :longest], made.sequences[:, made.sequences.shape[1] - longest :]
    columns = []
    for step in range(longest):
        chosen = made.logits[step][beams[:, step].clamp(min=0)].float().log_softmax(-1)
        columns.append(chosen.gather(1, ids[:, step : step + 1]).masked_fill(beams[:, step : step + 1] < 0, 0.0))
    return ids, torch.cat(columns, dim=1)


def _until_end(ids: list[int], log_probs: list[float], ends: set[int]) -> Answer:
    """
    >>> _until_end([7, 8, 2, 0, 0], [-1.0, -1.0, -0.5, 0.0, 0.0], {2})
    Answer(ids=[7, 8, 2], log_probs=[-1.0, -1.0, -0.5], others=())
    """
    for at, word in enumerate(ids):
        if word in ends:
            return Answer(ids[: at + 1], log_probs[: at + 1])
    return Answer(ids, log_probs)


def ends(network: Any) -> set[int]:
    """The ids that end an answer. A model may have several, and BLIP calls its own `sep`.

    Only the part that generates counts: the defaults of another may be ordinary words.
    """
    if network.config.model_type == "blip":
        return {network.config.text_config.sep_token_id}
    end = _speaker(network).generation_config.eos_token_id
    if end is None:
        end = network.config.get_text_config(decoder=True).eos_token_id
    return set(end) if isinstance(end, list | tuple) else set() if end is None else {end}


def _speaker(network: Any) -> Any:
    kind = network.config.model_type
    return getattr(network, SPEAKERS[kind]) if kind in SPEAKERS else network


def begin(network: Any) -> list[int]:
    """The ids that every answer begins with: `generate` forces one on BART's family (BART, mBART, Florence-2).

    It forces it on an answer behind one id, so never behind a prompt of a model without an encoder.
    """
    speaker = _speaker(network)
    first = speaker.generation_config.forced_bos_token_id
    return [] if first is None or not speaker.config.is_encoder_decoder else [int(first)]


def first_end(loaded: Loaded) -> int:
    """The id that ends a caption which is given as text."""
    known = ends(loaded.network)
    own = loaded.tokenizer.eos_token_id
    return int(own if own in known or not known else min(known))
