"""`open_clip:ARCHITECTURE/TAG`, `open_clip:ARCHITECTURE/FILE`, a folder or `hf-hub:..` -> the towers of open_clip.

Unusual: OpenAI's weights need the activation QuickGELU. If name and weights disagree, open_clip only warns, and scores
are wrong; here the right activation is set.
"""

import json
from typing import Any, NamedTuple

from showtell.encoders.clip.towers import LOCAL, OPEN_CLIP, Towers, check_hub, lacking, one_line, refused
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import at_home
from showtell.plumbing.hub import PAGE, drop_pages
from showtell.plumbing.messages import nearest
from showtell.plumbing.reading import check_file, check_model_files
from showtell.plumbing.torchvision_repair import repair_torchvision

HUB = "hf-hub:"
FORM = f"{OPEN_CLIP}ARCHITECTURE/TAG or {OPEN_CLIP}ARCHITECTURE/FILE"


class Chosen(NamedTuple):
    """Arguments for open_clip: the model's name, a tag or file of weights, and whether QuickGELU must be forced."""

    model: str
    weights: str | None
    quick_gelu: bool = False


def load_open_clip(name: str) -> Towers:
    """Raises InputError for an unknown architecture or tag, weights that do not fit, or a hub that is out of reach."""
    repair_torchvision()
    try:
        import open_clip
    except ImportError:
        raise lacking(name, "open_clip") from None
    chosen = _chosen(open_clip, name)
    try:
        network, prepare = open_clip.create_model_from_pretrained(
            chosen.model, chosen.weights, force_quick_gelu=chosen.quick_gelu, weights_only=True
        )
        config = open_clip.get_model_config(chosen.model)
        # A folder's config may set options of its tokenizer, but may not make it execute the folder's code.
        safe = {"trust_remote_code": False} if config["text_cfg"].get("hf_tokenizer_name") else {}
        tokenizer = open_clip.get_tokenizer(chosen.model, **safe)
    except Exception as error:  # a damaged file can make the library raise any exception
        reason = PAGE if drop_pages() else f"cannot be loaded ({one_line(error)})"
        raise refused(name, f"{reason}; {LOCAL}") from error
    return Towers(
        network,
        library=f"open_clip {open_clip.__version__}",
        settings=json.dumps([config, chosen.quick_gelu], sort_keys=True, default=str),
        prepare=prepare,
        see=network.encode_image,
        tokenize=lambda texts: {"text": tokenizer(list(texts))},
        read=lambda tokens: network.encode_text(tokens["text"]),
    )


def _chosen(open_clip: Any, name: str) -> Chosen:
    rest = name.removeprefix(OPEN_CLIP)
    if rest.startswith(HUB):
        check_hub(name, rest.removeprefix(HUB))
        return Chosen(rest, None)
    folder = at_home(rest, "clip")
    if folder.is_dir():
        if not (folder / "open_clip_config.json").is_file():
            raise refused(name, f"is a folder without open_clip_config.json; write {FORM}")
        check_model_files(folder)
        return Chosen(f"local-dir:{folder}", None)
    architecture, _, weights = rest.partition("/")
    known = open_clip.list_models()
    if architecture not in known:
        near = nearest(architecture, known)
        raise refused(name, "does not name an architecture of open_clip", near=near, advice=f"write {FORM}")
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if weights in tags:
        return _tagged(open_clip, name, architecture, weights)
    if weights and at_home(weights, "clip").is_file():
        check_file(at_home(weights, "clip"))
        return Chosen(architecture, str(at_home(weights, "clip")))
    have = ", ".join(tags) or "no tags"
    raise refused(name, f"names no weights: {architecture} has {have}; write one of them or a file after the slash")


def _tagged(open_clip: Any, name: str, architecture: str, tag: str) -> Chosen:
    settings = open_clip.get_pretrained_cfg(architecture, tag)
    if repository := settings.get("hf_hub", "").rstrip("/"):
        check_hub(name, repository)
    wanted, built = (bool(which.get("quick_gelu")) for which in (settings, open_clip.get_model_config(architecture)))
    if built and not wanted:
        plain = architecture.removesuffix("-quickgelu")
        raise InputError(f"clip {name!r}: these weights were made without QuickGELU; write {OPEN_CLIP}{plain}/{tag}")
    return Chosen(architecture, tag, quick_gelu=wanted)
