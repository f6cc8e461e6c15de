"""A Hub id or a folder of transformers -> a network that captions, with all that prepares its input.

Code that comes with a model is never run, and files of PyTorch are read as plain tensors or not at all.
"""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import torch

from showtell.cache.contents import digest_file
from showtell.plumbing.device import device_of
from showtell.plumbing.errors import InputError
from showtell.plumbing.hub import PAGE, drop_pages, hub_file, hub_is_out_of_reach, on_one_line
from showtell.plumbing.quiet import quiet
from showtell.plumbing.reading import check_model_files, read_json
from showtell.plumbing.torchvision_repair import repair_torchvision

CONFIG = "config.json"
EXTRA = ("num2words", "sentencepiece")  # packages that some models need, and the extra `lm` has
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
CONTENT = ("*.json", "*.safetensors", "*.bin", "*.txt", "*.model", "*.jinja")  # what a folder's digest is made of
TRAINING = ("training_args.bin", "optimizer.bin", "scheduler.bin", "trainer_state.json")  # and what it is not
SUCH_AS = "models that caption, such as blip, git, vision-encoder-decoder, llava or qwen2_vl"


class Loaded(NamedTuple):
    """A network and what its input goes through. `version` is the commit of a Hub model, or a folder's digest."""

    network: Any
    processor: Any  # None for a model that has an image processor and a tokenizer, but nothing that joins them
    images: Any
    tokenizer: Any
    name: str
    version: str

    @property
    def kind(self) -> str:
        return str(self.network.config.model_type)


def load_network(place: Path | str, revision: str | None, dtype: str) -> Loaded:
    """`place` as `place_of` gives it. Raises InputError for what is no captioner, damaged, or out of reach."""
    transformers = _library()
    name = place.resolve().name if isinstance(place, Path) else place
    folder, commit = (place, None) if isinstance(place, Path) else _fetch(place, revision)
    _check_config(transformers, str(place), folder / CONFIG)
    source, options = str(place), {}
    if commit is not None:
        options = {"revision": commit, "local_files_only": hub_is_out_of_reach()}
    with quiet(bars=commit is not None and not _has_weights(folder)):
        network = _network(transformers, str(place), source, dtype, options)
        processor, images, tokenizer = _processors(transformers, str(place), source, options)
    _check_words(str(place), network, tokenizer)
    _ready(network, tokenizer)
    return Loaded(network, processor, images, tokenizer, name, commit or digest_folder(folder))


def refused(name: str, wrong: str, **more: Any) -> InputError:
    """`more` is what else an error says: what is allowed, advice."""
    return InputError(f"{name!r} {wrong}", key="captioner.model", value=name, **more)


def _library() -> Any:
    repair_torchvision()
    try:
        import transformers
    except ImportError:
        wrong = "is 'huggingface', which needs transformers, and it is not installed"
        raise InputError(wrong, key="captioner.name", advice="pip install 'showtell[lm]'") from None
    return transformers


def _fetch(repository: str, revision: str | None) -> tuple[Path, str]:
    """The local folder and the commit of a Hub model's config, which is small. transformers fetches the rest."""
    config = hub_file(repository, [CONFIG], revision)
    if config is None:
        raise refused(repository, f"has no {CONFIG} on the Hub", taker="captioner 'huggingface' takes", takes=SUCH_AS)
    return config.parent, config.parent.name


def _has_weights(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in ("*.safetensors", "*.bin"))


def _check_config(transformers: Any, name: str, path: Path) -> None:
    """Whether this is a captioner at all: asked of the small file, before gigabytes are fetched."""
    if not path.exists():
        raise refused(name, f"has no {CONFIG}, so it is no model of transformers")
    try:
        config = read_json(path)
    except InputError as error:
        raise refused(name, f"has a damaged {CONFIG} (it {error.wrong})") from None
    check_model_files(path.parent)
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind is None:
        raise refused(name, f"has a {CONFIG} without model_type, so it is no model of transformers")
    if _captions(transformers, kind):
        return
    if "auto_map" in config:
        wrong = f"is a {kind!r}, which brings code of its own, and Showtell never runs such code"
        raise refused(name, wrong, advice="look for a version of it that says library: transformers")
    known = kind in transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES
    wrong = f"is a {kind!r}, " + (
        "which generates no text from photos" if known else f"which transformers {transformers.__version__} lacks"
    )
    raise refused(name, wrong, taker="captioner 'huggingface' takes", takes=SUCH_AS)


def is_of_captioner(config: Path) -> bool:
    """Whether a config.json is that of a model that captions. It is not for a CLIP, or if the file is missing."""
    try:
        return _captions(_library(), read_json(config).get("model_type"))
    except (InputError, AttributeError):
        return False


def _captions(transformers: Any, kind: str | None) -> bool:
    return kind in transformers.models.auto.modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES


def _network(transformers: Any, name: str, source: str, dtype: str, options: dict[str, Any]) -> Any:
    wanted = DTYPES.get(dtype) or ("auto" if device_of("auto").type != "cpu" else torch.float32)
    try:
        network, report = transformers.AutoModelForImageTextToText.from_pretrained(
            source, dtype=wanted, output_loading_info=True, weights_only=True, trust_remote_code=False, **options
        )
    except Exception as error:  # a damaged or foreign folder makes the library raise nearly anything
        raise _cannot(name, error) from error
    missing = sorted(key for key in report["missing_keys"] if not key.endswith("position_ids"))
    if missing:
        built = type(network).__name__
        wrong = f"lacks {len(missing):,} tensors of a {built} (first: {missing[0]}): they would be random numbers"
        raise refused(name, wrong, advice="take a model that was trained to caption")
    if not network.can_generate():
        raise refused(name, f"is a {type(network).__name__}, which does not generate text", takes=SUCH_AS)
    return network.requires_grad_(False).eval()


def _processors(transformers: Any, name: str, source: str, options: dict[str, Any]) -> tuple[Any, Any, Any]:
    """(processor or None, image processor, tokenizer).

    AutoProcessor returns the bare tokenizer of a VisionEncoderDecoder, and some folders have no processor at all. Then
    the two are loaded apart.
    """
    safe = {"trust_remote_code": False, **options}
    try:
        joined = transformers.AutoProcessor.from_pretrained(source, **safe)
        if getattr(joined, "image_processor", None) is not None and getattr(joined, "tokenizer", None) is not None:
            return joined, joined.image_processor, joined.tokenizer
    except ImportError as error:
        raise _cannot(name, error) from error
    except Exception as error:
        first: Exception | None = error
    else:
        first = None
    try:
        images = transformers.AutoImageProcessor.from_pretrained(source, **safe)
        return None, images, transformers.AutoTokenizer.from_pretrained(source, **safe)
    except Exception as error:
        raise _cannot(name, first or error) from error


def _cannot(name: str, error: Exception) -> InputError:
    advice = None
    if isinstance(error, ImportError) and any(package in str(error).lower() for package in EXTRA):
        advice = "pip install 'showtell[lm]'"
    if isinstance(error, OSError) and "offline" in str(error).lower():
        advice = "the Hugging Face Hub is out of reach; name a local folder instead"
    return refused(name, PAGE if drop_pages() else f"cannot be loaded ({on_one_line(error)})", advice=advice)


def _check_words(name: str, network: Any, tokenizer: Any) -> None:
    """transformers makes a tokenizer of special tokens alone where the files of its words are missing."""
    known = getattr(network.config.get_text_config(decoder=True), "vocab_size", None) or 0
    if len(tokenizer) < known / 2:
        wrong = f"has a tokenizer of {len(tokenizer):,} tokens, and its network has {known:,}"
        raise refused(name, wrong, advice="its tokenizer's files are missing: fetch or save them anew")


def _ready(network: Any, tokenizer: Any) -> None:
    """Words are appended at the right, so a shorter prompt is padded at the left. Many models come set otherwise."""
    if not network.config.is_encoder_decoder:
        tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token


def digest_folder(folder: Path) -> str:
    """Digest of the files that make a model: equal folders have equal digests, wherever they lie."""
    hashed = blake2b(digest_size=16)
    for path in _content(folder):
        hashed.update(f"{path.name} {digest_file(path)}\n".encode())
    return hashed.hexdigest()


def _content(folder: Path) -> Iterator[Path]:
    paths = {path for pattern in CONTENT for path in folder.glob(pattern) if path.name not in TRAINING}
    yield from sorted(paths)
