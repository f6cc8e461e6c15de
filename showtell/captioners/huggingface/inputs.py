"""Photos and a prompt -> what a foreign network reads. There are three shapes of input:

- `none`: the photo, and no text (BLIP, GIT, ViT-GPT2, BLIP-2).
- `text`: the photo and a text before the caption: a task such as `<CAPTION>` (Florence-2), or a beginning such as
  `a photo of` (BLIP).
- `chat`: a conversation in which a person shows the photo and asks, written by the model's own template (LLaVA,
  SmolVLM, Qwen-VL).
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image

from showtell.captioners.huggingface.network import Loaded
from showtell.plumbing.errors import InputError
from showtell.plumbing.quiet import quiet

ASK = "Write one short sentence that describes the photo."
PROMPTS = {  # what models without a chat template were trained to caption by; others are given no text
    "florence2": "<CAPTION>",
    "paligemma": "caption en",
    "kosmos-2": "An image of",
    "instructblip": ASK,
}

PLACE_IT = ("florence2", "kosmos-2", "instructblip", "blip-2")  # whose processors write where the photo stands


def shape_of(loaded: Loaded, prompt: str | None) -> str:
    if loaded.processor is not None and getattr(loaded.processor, "chat_template", None):
        return "chat"
    return "none" if usual(loaded, prompt) is None else "text"


def usual(loaded: Loaded, prompt: str | None) -> str | None:
    """The prompt that counts: the given one, or the one that this kind of model expects."""
    if prompt is not None:
        return prompt
    chats = loaded.processor is not None and getattr(loaded.processor, "chat_template", None)
    return ASK if chats else PROMPTS.get(loaded.kind)


def prepare(loaded: Loaded, images: Sequence[Image.Image], prompt: str | None) -> dict[str, Any]:
    """Tensors for `generate`, on the network's device and in its precision."""
    shape, text = shape_of(loaded, prompt), usual(loaded, prompt)
    if shape != "none" and loaded.processor is None:
        wrong = f"is {prompt!r}, and a model of kind {loaded.kind!r} reads no text"
        raise InputError(wrong, key="captioner.prompt", value=prompt, advice="do not give it")
    with quiet():
        return _moved(loaded.network, SHAPES[shape](loaded, list(images), str(text)))


def _none(loaded: Loaded, images: list[Image.Image], text: str) -> Mapping[str, Any]:
    return dict((loaded.processor or loaded.images)(images=images, return_tensors="pt"))


def _text(loaded: Loaded, images: list[Image.Image], text: str) -> Mapping[str, Any]:
    texts = [_with_place(loaded, text)] * len(images)
    inputs = dict(loaded.processor(images=images, text=texts, padding=True, return_tensors="pt"))
    if loaded.kind == "git":  # its tokenizer ends the text, and an ended text has no continuation
        inputs |= {name: inputs[name][:, :-1] for name in ("input_ids", "attention_mask")}
    return inputs


def _chat(loaded: Loaded, images: list[Image.Image], text: str) -> Mapping[str, Any]:
    written = _conversation(loaded, text)
    begun = bool(loaded.tokenizer.bos_token) and written.startswith(loaded.tokenizer.bos_token)
    more = {"add_special_tokens": False} if begun else {}  # else there would be two bos
    nested = [[image] for image in images]
    return dict(
        loaded.processor(images=nested, text=[written] * len(images), padding=True, return_tensors="pt", **more)
    )


SHAPES = {"none": _none, "text": _text, "chat": _chat}


def _conversation(loaded: Loaded, prompt: str) -> str:
    content = [{"type": "image"}, {"type": "text", "text": prompt}]
    messages = [{"role": "user", "content": content}]
    return str(loaded.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _with_place(loaded: Loaded, prompt: str) -> str:
    """LLaVA and similar models want a mark in the text where the photo stands; some processors write it themselves."""
    mark = str(getattr(loaded.processor, "image_token", "") or "")
    if not mark or mark in prompt or loaded.kind in PLACE_IT:
        return prompt
    return f"{mark}{prompt}" if loaded.kind == "paligemma" else f"{mark}\n{prompt}"


def _moved(network: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    def moved(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(moved(each) for each in value)
        if not isinstance(value, torch.Tensor):
            return value
        return value.to(network.device, network.dtype if value.is_floating_point() else value.dtype)

    # Many tokenizers give these to every model, and `generate` refuses what a model does not know.
    unused = {"token_type_ids"} - inspect.signature(network.forward).parameters.keys()
    return {name: moved(value) for name, value in inputs.items() if name not in unused}
