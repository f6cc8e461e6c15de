"""A CLIP of random weights in the official layouts, tiny but for CLIP's real vocabulary, which open_clip carries.

The same weights in transformers' folder and in open_clip's; numpy's legacy stream is the same on every machine.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

SIDE, PATCH, TEXT, VISION, DIM, LAYERS = 32, 8, 16, 24, 12, 2
WORDS = 49408
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def write_transformers(folder: Path, seed: int = 7) -> Path:
    """As OpenAI's first ones were left: config, model.safetensors, vocabulary, how photos are prepared."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    ends = {"bos_token_id": WORDS - 2, "eos_token_id": WORDS - 1, "pad_token_id": WORDS - 1}
    shape = {"num_hidden_layers": LAYERS}
    text = {"hidden_size": TEXT, "intermediate_size": 4 * TEXT, "num_attention_heads": 2, **shape, **ends}
    vision = {"hidden_size": VISION, "intermediate_size": 4 * VISION, "num_attention_heads": 3, **shape}
    config = CLIPConfig(
        text_config=text, vision_config=vision | {"image_size": SIDE, "patch_size": PATCH}, projection_dim=DIM
    )
    network, stream = CLIPModel(config), np.random.RandomState(seed)
    state = {name: _drawn(name, tensor, stream) for name, tensor in sorted(network.state_dict().items())}
    network.load_state_dict(state)
    network.save_pretrained(folder)
    vocabulary, merges = _byte_pairs()
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")
    names = (str(folder / "vocab.json"), str(folder / "merges.txt"))
    CLIPTokenizer(*names, model_max_length=77).save_pretrained(folder)
    (folder / "tokenizer.json").unlink()  # says the same as vocab.json and merges.txt, and takes ten times as long
    CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def write_tokenizer_in_one_file(folder: Path) -> Path:
    """The tokenizer of a folder as newer ones have it, too: tokenizer.json."""
    from transformers import CLIPTokenizer

    CLIPTokenizer.from_pretrained(folder).save_pretrained(folder)
    return folder / "tokenizer.json"


def _drawn(name: str, tensor: torch.Tensor, stream: np.random.RandomState) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    values = torch.from_numpy(stream.standard_normal(tuple(tensor.shape))).float().reshape(tensor.shape)
    if "norm" in name and name.endswith("weight"):
        return 1 + 0.1 * values
    return values * (0.05 if name.endswith("bias") else 0.3)


def _byte_pairs() -> tuple[dict[str, int], list[str]]:
    import open_clip

    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    known = {names.get(piece, piece): number for piece, number in open_clip.SimpleTokenizer().encoder.items()}
    packed = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    merges = gzip.decompress(packed.read_bytes()).decode().split("\n")[1 : WORDS - 2 - 512 + 1]
    return known, merges


def write_open_clip(folder: Path, source: Path) -> Path:
    """The weights of a folder of transformers, in open_clip's own layout."""
    folder.mkdir(parents=True, exist_ok=True)
    vision = {"image_size": SIDE, "layers": LAYERS, "width": VISION, "patch_size": PATCH, "head_width": VISION // 3}
    text = {"context_length": 77, "vocab_size": WORDS, "width": TEXT, "heads": 2, "layers": LAYERS}
    model = {"embed_dim": DIM, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    content = {"model_cfg": model, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    save_file(_renamed(load_file(source / "model.safetensors")), folder / "open_clip_model.safetensors")
    return folder


RENAMED = {
    "logit_scale": "logit_scale",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    **{f"text_model.final_layer_norm.{kind}": f"ln_final.{kind}" for kind in ("weight", "bias")},
    **{f"vision_model.pre_layrnorm.{kind}": f"visual.ln_pre.{kind}" for kind in ("weight", "bias")},
    **{f"vision_model.post_layernorm.{kind}": f"visual.ln_post.{kind}" for kind in ("weight", "bias")},
}
IN_LAYERS = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def _renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    found = {other: state[name] for name, other in RENAMED.items()}
    found["text_projection"] = state["text_projection.weight"].T.contiguous()
    found["visual.proj"] = state["visual_projection.weight"].T.contiguous()
    for theirs, ours in (("text_model", "transformer"), ("vision_model", "visual.transformer")):
        for layer in range(LAYERS):
            before, after = f"{theirs}.encoder.layers.{layer}", f"{ours}.resblocks.{layer}"
            for kind in ("weight", "bias"):
                parts = [state[f"{before}.self_attn.{which}_proj.{kind}"] for which in "qkv"]
                found[f"{after}.attn.in_proj_{kind}"] = torch.cat(parts)
                found |= {f"{after}.{new}.{kind}": state[f"{before}.{old}.{kind}"] for old, new in IN_LAYERS.items()}
    return found


def draw_photos(folder: Path, count: int = 6, size: tuple[int, int] | None = None) -> list[Path]:
    """Blocks of colours, each photo of another size and shape unless one is given."""
    folder.mkdir(parents=True, exist_ok=True)
    stream, paths = np.random.RandomState(3), []
    for number in range(count):
        blocks = stream.randint(0, 256, (4, 5, 3)).astype(np.uint8)
        wanted = size or (48 + 7 * number, 71 - 5 * number)
        paths.append(folder / f"{number}.png")
        Image.fromarray(blocks).resize(wanted, Image.Resampling.NEAREST).save(paths[-1])
    return paths
