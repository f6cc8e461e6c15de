"""A hub id or a folder -> the towers of transformers' CLIP, or of a model with the same two functions (SigLIP).

Code that comes with a model is never executed, and PyTorch files are read only if they have nothing but tensors.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from showtell.encoders.clip.towers import LOCAL, Towers, check_hub, lacking, one_line, refused
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import at_home
from showtell.plumbing.hub import PAGE, drop_pages, place_of
from showtell.plumbing.quiet import quiet
from showtell.plumbing.reading import check_model_files
from showtell.plumbing.torchvision_repair import repair_torchvision

PADDED = ("siglip", "siglip2")  # were trained on texts that are padded to the longest length
VOLATILE = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype")  # do not change vectors


def load_transformers(name: str) -> Towers:
    """Raises InputError for a model that is not a CLIP, lacks weights, is out of reach, or needs its own code."""
    source = _source(name)
    repair_torchvision()
    try:
        import transformers
    except ImportError:
        raise lacking(name, "transformers") from None
    if not Path(source).is_dir():
        check_hub(name, source)
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
    folder = at_home(name, "clip")
    if name and folder.is_dir():
        if not (folder / "config.json").is_file():
            raise refused(name, "is a folder without config.json, so it is not a model of transformers")
        check_model_files(folder)
        return str(folder)
    if folder.is_file():
        raise refused(name, "is a file; for weights of open_clip write open_clip:ARCHITECTURE/FILE")
    try:
        return str(place_of(name))
    except InputError:
        raise refused(name, f"is no folder and no hub id, such as openai/clip-vit-base-patch32; {LOCAL}") from None


def _load(transformers: Any, name: str, source: str) -> tuple[Any, Any, Any]:
    safe: dict[str, Any] = {"trust_remote_code": False}
    try:
        network, info = transformers.AutoModel.from_pretrained(
            source, output_loading_info=True, weights_only=True, **safe
        )
        if not (hasattr(network, "get_image_features") and hasattr(network, "get_text_features")):
            raise refused(name, f"is a {network.config.model_type} and no CLIP: it does not embed photos and texts")
        missing = sorted(key for key in info["missing_keys"] if not key.endswith("position_ids"))
        if missing:
            raise refused(name, f"lacks {len(missing):,} tensors of its weights (first: {missing[0]})")
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, **safe)
        if len(tokenizer) > network.config.text_config.vocab_size:
            known = network.config.text_config.vocab_size
            raise refused(name, f"has a tokenizer of {len(tokenizer):,} tokens, but weights for only {known:,}")
        processor = transformers.AutoImageProcessor.from_pretrained(source, **safe)
    except InputError:
        raise
    except Exception as error:  # a damaged folder can make the library raise any exception
        reason = PAGE if drop_pages() else f"cannot be loaded ({one_line(error)})"
        raise refused(name, f"{reason}; {LOCAL}") from error
    return network, tokenizer, processor


def _vectors(output: Any) -> Tensor:
    """transformers 4 returns the vectors, transformers 5 an object that has them."""
    vectors: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return vectors


def _lasting(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _lasting(value) for key, value in config.items() if key not in VOLATILE}
    return config
