"""A hub id or a folder -> the towers of transformers' CLIP, or of a model with its two functions (SigLIP, say).

Code that comes with a model is never run, and files of PyTorch are read as plain tensors or not at all.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from showtell.encoders.clip.towers import LOCAL, Towers, check_hub, lacking, refused, told
from showtell.plumbing.errors import InputError
from showtell.plumbing.quiet import quiet
from showtell.plumbing.torchvision_repair import repair_torchvision

PADDED = ("siglip", "siglip2")  # were trained on texts that are padded to the end
VOLATILE = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype")  # say where, not what


def load_transformers(name: str) -> Towers:
    """Raises InputError for what is no CLIP, lacks weights, is out of reach, or would need its own code."""
    source = _source(name)
    repair_torchvision()
    try:
        import transformers
    except ImportError:
        raise lacking(name, "transformers") from None
    if source == name and not Path(name).is_dir():
        check_hub(name, name)
    with quiet():
        network, tokenizer, processor = _load(transformers, name, source)
    config = network.config
    limit = min(config.text_config.max_position_embeddings, tokenizer.model_max_length)
    padding = "max_length" if config.model_type in PADDED else True

    def tokenize(texts: Sequence[str]) -> dict[str, Tensor]:
        made = tokenizer(list(texts), padding=padding, truncation=True, max_length=limit, return_tensors="pt")
        return dict(made)

    return Towers(
        network,
        library=f"transformers {transformers.__version__}",
        settings=json.dumps(_lasting(config.to_dict()), sort_keys=True, default=str),
        prepare=lambda image: processor(images=image, return_tensors="pt")["pixel_values"][0],
        see=lambda pixels: _vectors(network.get_image_features(pixel_values=pixels)),
        tokenize=tokenize,
        read=lambda tokens: _vectors(network.get_text_features(**tokens)),
    )


def _source(name: str) -> str:
    """The folder with `~` resolved, or the hub id as it is."""
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        if not (folder / "config.json").is_file():
            raise refused(name, "is a folder without config.json: no model of transformers")
        return str(folder)
    if folder.is_file():
        raise refused(name, "is a file; for weights of open_clip write open_clip:ARCHITECTURE/FILE")
    if not name or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise refused(name, f"is no folder and no hub id such as openai/clip-vit-base-patch32; {LOCAL}")
    return name


def _load(transformers: Any, name: str, source: str) -> tuple[Any, Any, Any]:
    safe: dict[str, Any] = {"trust_remote_code": False}
    try:
        network, said = transformers.AutoModel.from_pretrained(
            source, output_loading_info=True, weights_only=True, **safe
        )
        if not (hasattr(network, "get_image_features") and hasattr(network, "get_text_features")):
            raise refused(name, f"is a {network.config.model_type} and no CLIP: it does not embed photos and texts")
        missing = sorted(key for key in said["missing_keys"] if not key.endswith("position_ids"))
        if missing:
            raise refused(name, f"lacks {len(missing):,} tensors of its weights (first: {missing[0]})")
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, **safe)
        if len(tokenizer) > network.config.text_config.vocab_size:
            known = network.config.text_config.vocab_size
            raise refused(name, f"has a tokenizer of {len(tokenizer):,} tokens, of which its weights know {known:,}")
        processor = transformers.AutoImageProcessor.from_pretrained(source, **safe)
    except InputError:
        raise
    except Exception as error:  # a damaged or foreign folder makes the library raise nearly anything
        raise refused(name, f"cannot be loaded ({told(error)}); {LOCAL}") from error
    return network, tokenizer, processor


def _vectors(found: Any) -> Tensor:
    """Of transformers 4 the vectors themselves, of 5 an output that holds them."""
    vectors: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return vectors


def _lasting(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _lasting(value) for key, value in config.items() if key not in VOLATILE}
    return config
