"""A run folder: weights, recipe and training state. Each file is complete or not written; nothing is unpickled.

`RUN/model.safetensors` holds the best weights; `RUN/last/` is the checkpoint for resuming. A run saves only what it
cannot load again from a named source such as timm: trained parameters, the buffers in the same modules, and frozen
random weights. A tensor with two names (tied weights) is saved once, with its first name. A weights file that we write
holds a digest of its tensors, which is checked on reading.
"""

import hashlib
import json
import os
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from showtell import __version__
from showtell.cache.contents import digest_file
from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import clear, sync, whole, write_text
from showtell.plumbing.origin import made_in
from showtell.plumbing.reading import read_json, why_not
from showtell.settings.text import VERSION, Recipe, read_recipe_file

MODEL, RECIPE = "model.safetensors", "recipe.yaml"
STATE, PART = "state.json", ".last-"
FILES, SEAL, DIGEST = "files", "seal", "digest"
# Options that are paths, which may be relative to the folder where training was started.
PATHS: tuple[tuple[str, str], ...] = (
    ("data", "root"),
    ("encoder", "weights"),
    ("encoder", "model"),
    ("regions", "file"),
    ("regions", "model"),
)
PATHS += (("decoder", "weights"), ("tokenizer", "file"), ("train", "start"), ("loss", "teacher"))
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # allowed types of saved weights
SHOWN = 3  # tensors that an error names
MOMENTS = {"step", "exp_avg", "exp_avg_sq"}
WAY_OUT = "train again into another folder with --run"


def weights(encoder: Encoder, decoder: Decoder | None = None) -> dict[str, Tensor]:
    """The tensors that a run saves, by name: `encoder.…` and `decoder.…`."""
    return _named(encoder, decoder)[0]


def _named(encoder: Encoder, decoder: Decoder | None) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors that a run saves by name, and for tied weights: each other name -> the first name."""
    first: dict[Any, str] = {}
    saved: dict[str, Tensor] = {}
    others: dict[str, str] = {}
    for part, module in {"encoder": encoder, "decoder": decoder}.items():
        for name, tensor in _unrecoverable(module) if module is not None else ():
            name = f"{part}.{name}"
            place = (tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, tensor.stride())
            if tensor.numel() and place in first:
                others[name] = first[place]
            else:
                first[place] = name
                saved[name] = tensor.detach().cpu().contiguous()
    return saved, others


def _unrecoverable(part: Encoder | Decoder) -> Iterator[tuple[str, Tensor]]:
    """All tensors except those of frozen modules whose weights can be loaded again from their named source."""
    if not part.reloadable:
        yield from part.state_dict().items()
        return
    given_back = {module for pretrained in part.pretrained for module in pretrained.modules()}
    for prefix, module in part.named_modules():
        trains = any(parameter.requires_grad for parameter in module.parameters(recurse=False))
        if trains or module not in given_back:
            dropped = module._non_persistent_buffers_set  # what a module can compute again, such as a merged matrix
            buffers = [named for named in module.named_buffers(recurse=False) if named[0] not in dropped]
            own = [*module.named_parameters(recurse=False), *buffers]
            yield from ((f"{prefix}.{name}" if prefix else name, tensor) for name, tensor in own)


def given_back(encoder: Encoder, decoder: Decoder | None = None) -> dict[str, Tensor]:
    """The weights that a run does not save, because they can be loaded again from their named source."""
    saved, others = _named(encoder, decoder)
    back: dict[str, Tensor] = {}
    for part, module in {"encoder": encoder, "decoder": decoder}.items():
        for name, tensor in module.state_dict().items() if module is not None else ():
            name = f"{part}.{name}"
            if name not in saved and name not in others and tensor.is_floating_point():
                back[name] = tensor
    return back


def restore(encoder: Encoder, decoder: Decoder | None, tensors: dict[str, Tensor], source: str) -> None:
    """Load saved weights into the modules. Raises InputError that lists what is missing, unknown or misshapen."""
    wanted, others = _named(encoder, decoder)
    tensors = _by_first_names(tensors, others, source)
    wrong = []
    for name in dict.fromkeys([*wanted, *tensors]):
        have, want = tensors.get(name), wanted.get(name)
        if have is None or want is None or have.shape != want.shape:
            shapes = [tuple(tensor.shape) if tensor is not None else "absent" for tensor in (have, want)]
            wrong.append(f"{name} is {shapes[0]}, but must be {shapes[1]}")
        elif have.dtype != want.dtype and not (have.is_floating_point() and want.is_floating_point()):
            raise InputError(f"{source} is damaged: {name} holds {have.dtype}, but it must be {want.dtype}")
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise InputError(f"{source} does not fit its recipe: {'; '.join(wrong[:SHOWN])}{more}")
    modules: dict[str, nn.Module | None] = {"encoder": encoder, "decoder": decoder}
    for part, module in modules.items():
        if module is None:
            continue
        own = {name.removeprefix(f"{part}."): t for name, t in tensors.items() if name.startswith(f"{part}.")}
        module.load_state_dict(own, strict=False)


def _by_first_names(tensors: dict[str, Tensor], others: dict[str, str], source: str) -> dict[str, Tensor]:
    """Saved weights with only the first name of each tied weight. Raises InputError if its names have other values."""
    by_first = {name: tensor for name, tensor in tensors.items() if name not in others}
    for name in tensors.keys() & others.keys():
        first = by_first.setdefault(others[name], tensors[name])
        if not torch.equal(first, tensors[name]):
            raise InputError(
                f"{source} does not fit its recipe: {name} differs from {others[name]}, but the recipe ties them"
            )
    return by_first


def halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, with floating-point numbers as fp16."""
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises InputError if it is damaged, or a number is not finite."""
    if (wrong := why_not(path)) == "does not exist":
        raise InputError(f"{path} does not exist: {path.parent} is not a trained run")
    if wrong:
        raise InputError(wrong, key=str(path))
    try:
        tensors = load_file(path)
        with safe_open(path, framework="pt") as file:
            written = (file.metadata() or {}).get(DIGEST)
    except (SafetensorError, OSError, MemoryError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    for name, tensor in tensors.items():
        _check_numbers(path, name, tensor)
    if written is not None and written != digest((), tensors):
        raise InputError(
            f"{path} is damaged: its tensors do not fit its digest", advice=f"restore a copy of it, or {WAY_OUT}"
        )
    return tensors


def _check_numbers(path: Path, name: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        return
    if tensor.dtype not in FLOATS:
        kinds = ", ".join(str(kind).removeprefix("torch.") for kind in FLOATS)
        raise InputError(f"{path}: {name} holds {tensor.dtype}; it takes {kinds}")
    if not torch.isfinite(tensor.float()).all():  # a float64 that is too large for fp32 becomes infinite
        raise InputError(f"{path} is damaged: {name} has values that are not finite")


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    with whole(path) as part:
        try:
            _save(tensors, part)
        except SafetensorError as error:  # safetensors raises this for a full disk too
            raise OSError(str(error)) from None


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    save_file(_apart(tensors), path, metadata={DIGEST: digest((), tensors)})


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, copied if they share memory, because safetensors refuses shared memory."""
    memories: set[int] = set()
    apart: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        memory = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if memory in memories and tensor.numel() else tensor
        memories.add(memory)
    return apart


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write `recipe.yaml`. Its first line is the version of Showtell that wrote it."""
    versioned = {VERSION: __version__, **recipe}
    write_text(folder / RECIPE, yaml.safe_dump(versioned, sort_keys=False, allow_unicode=True))


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a run. Raises InputError if the folder is not a run, or a run of Showtell 0.1.

    Files of 0.1 have other meanings, so they are not read.
    """
    if not os.path.lexists(folder / RECIPE):
        raise InputError(f"{folder} is not a run: it has no {RECIPE}")
    recipe = read_recipe_file(folder / RECIPE)
    if VERSION not in recipe:
        raise InputError(
            f"{folder} was made by Showtell 0.1, but this is {__version__}, which reads only runs from 0.2 on",
            advice=f"train it again: {' && '.join(dict.fromkeys(_anew(folder, recipe, f'{folder}-anew')))}",
        )
    del recipe[VERSION]
    return _from_here(recipe, folder)


def _from_here(recipe: Recipe, run: Path) -> Recipe:
    """The recipe with paths that can be found from here. `ucm` may be meant from where training was started.

    A relative path stays as it is if it exists here, or if it does not exist there.
    """
    home = made_in(run)
    if home is None:
        return recipe
    for section, key in ((section, key) for section, key in PATHS if isinstance(recipe.get(section), dict)):
        value = recipe[section].get(key)
        if isinstance(value, str) and _is_elsewhere(value, home):
            recipe[section] = recipe[section] | {key: _from_working_folder(home / value)}
    return recipe


def _is_elsewhere(value: str, home: Path) -> bool:
    path = Path(value)
    try:
        return not path.is_absolute() and not value.startswith("~") and not path.exists() and (home / path).exists()
    except (OSError, ValueError):  # no name of a file
        return False


def _from_working_folder(path: Path) -> str:
    """The same path as `../old/ucm`: what is saved again with this recipe names no folder of this machine."""
    try:
        return Path(os.path.relpath(path)).as_posix()
    except (OSError, ValueError):  # the working folder was deleted; another drive of Windows
        return str(path)


def _anew(folder: Path, recipe: Recipe, run: str, seen: tuple[Path, ...] = ()) -> Iterator[str]:
    """The commands that repeat a run of Showtell 0.1 in the folder `run`; before them, those for the runs it needs."""
    captioner, train = recipe.get("captioner", {}), recipe.get("train", {})
    if captioner.get("name") == "ensemble":
        names = captioner.get("members")
        numbered = enumerate(names if isinstance(names, list) else [], start=1)
        members = {f"{run}-{number}": folder / str(name) for number, name in numbered}
        for new, member in members.items():
            yield from _anew(member, _of_0_1(member) or {}, new, (*seen, folder))
        yield shlex.join(["showtell", "ensemble", *members, "--run", run])
        return
    sources = {"train.start": train.get("start")}
    if train.get("loss") == "cross_entropy":
        sources["loss.teacher"] = train.get("teacher")
    overrides = []
    for key, name in sources.items():
        source = Path(os.path.expanduser(str(name)))  # noqa: PTH111 - Path raises without such a user
        old = _of_0_1(source) if name is not None and source not in (*seen, folder) else None
        if old is not None:
            new = f"{source}-anew"
            overrides.append(f"{key}={new}")
            if not (Path(new) / RECIPE).exists():
                yield from _anew(source, old, new, (*seen, folder))
    yield shlex.join(["showtell", "train", str(folder / RECIPE), *overrides, "--run", run])


def _of_0_1(folder: Path) -> Recipe | None:
    """The recipe of a run if Showtell 0.1 made it, else None."""
    recipe = read_recipe_file(folder / RECIPE) if (folder / RECIPE).is_file() else {VERSION: {}}
    return None if VERSION in recipe else recipe


def write_training(run: Path, tensors: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> None:
    """Write `RUN/last`: a safetensors file for each entry of `tensors`, and `state.json`. All appear in one rename.

    `state.json` has a digest of each file and of itself. So we notice damage, and a mix of files of two checkpoints.
    """
    _settle(run)
    for left in run.glob(f"{PART}*"):  # left by a kill
        clear(left)
    part = run / f"{PART}{secrets.token_hex(8)}"
    try:
        part.mkdir()
        digests = {}
        for name, content in tensors.items():
            file = part / f"{name}.safetensors"
            file.touch()
            rights = file.stat().st_mode  # what the umask leaves; safetensors makes its own file, for the owner only
            _save(content, file)
            file.chmod(rights & 0o777)
            sync(file)
            digests[file.name] = digest_file(file)
        sealed = state | {FILES: digests}
        write_text(part / STATE, json.dumps(sealed | {SEAL: _seal(sealed)}))
        part.rename(run / "last.new")  # from here on the new checkpoint counts
    except (OSError, SafetensorError, InputError) as error:
        clear(part)
        advice = "the checkpoint before it is unchanged"
        raise InputError(f"cannot hold a checkpoint: {error}", key=str(run), advice=advice) from None
    _settle(run)


def read_training(run: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None:
    """The tensors and the state that `write_training` wrote last, or None if there is no checkpoint.

    Raises InputError if it is damaged.
    """
    _settle(run)
    path = run / "last" / STATE
    if not os.path.lexists(path):
        return None
    try:
        state = read_json(path)
    except InputError as error:
        raise InputError(f"{path} is damaged: it {error.wrong}; {WAY_OUT}") from None
    if not isinstance(state, dict):
        raise InputError(f"{path} is damaged: it holds no JSON object; {WAY_OUT}")
    seal, digests = state.pop(SEAL, None), state.get(FILES)
    if seal != _seal(state) or not isinstance(digests, dict):
        raise InputError(f"{path} is damaged, or somebody changed it: its {SEAL} does not fit; {WAY_OUT}")
    for name, written in digests.items():
        file = run / "last" / Path(name).name
        if not file.is_file() or digest_file(file) != written:
            raise InputError(f"{file} is damaged, missing, or from another checkpoint; {WAY_OUT}")
    tensors = {Path(name).stem: read_tensors(run / "last" / Path(name).name) for name in digests}
    return tensors, {key: value for key, value in state.items() if key != FILES}


def _seal(state: dict[str, Any]) -> str:
    """A digest of the state without its seconds, which differ even between equal runs."""
    sealed = {key: value for key, value in state.items() if key != "seconds"}
    return hashlib.blake2b(json.dumps(sealed, sort_keys=True).encode(), digest_size=16).hexdigest()


def _settle(run: Path) -> None:
    """If a kill came between the two renames of `write_training`, make the second one now."""
    ready = run / "last.new"
    if ready.is_dir() and not ready.is_symlink():
        clear(run / "last")
        ready.rename(run / "last")
    elif os.path.lexists(ready):  # a file or a link, so not ours
        clear(ready)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """AdamW's moments with names such as `0.exp_avg`, as safetensors needs them."""
    state = optimizer.state_dict()["state"]
    named = {f"{i}.{name}": value for i, values in state.items() for name, value in values.items()}
    return {name: torch.as_tensor(value).cpu().contiguous() for name, value in named.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], source: str) -> None:
    """Load moments into the optimizer. Raises InputError if they do not fit its parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        known = index.isdecimal() and int(index) < len(parameters)
        shape = parameters[int(index)].shape if known and key != "step" else torch.Size()
        if not known or tensor.shape != shape:
            raise InputError(
                f"{source} does not fit its recipe: its optimizer's {name} is {tuple(tensor.shape)}; "
                "it may be from another version of Showtell"
            )
        if not tensor.is_floating_point() or (key != "exp_avg" and bool((tensor < 0).any())):
            raise InputError(f"{source} is damaged: its optimizer's {name} is negative or not a floating-point number")
        state.setdefault(int(index), {})[key] = tensor
    if wrong := [index for index, moments in state.items() if set(moments) != MOMENTS]:
        raise InputError(f"{source} is damaged: its optimizer lacks a moment of parameter {wrong[0]}")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def random_tensors(device: torch.device) -> dict[str, Tensor]:
    """The states of the random generators that dropout and sampling use."""
    own = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state()} | own


def restore_random(tensors: dict[str, Tensor], device: torch.device, source: str) -> None:
    """Restore the random generators. If a run resumes on another kind of device, only the CPU's is restored."""
    try:
        torch.set_rng_state(tensors["cpu"])
        if "cuda" in tensors and device.type == "cuda":
            torch.cuda.set_rng_state(tensors["cuda"], device)
    except (KeyError, TypeError, RuntimeError):
        raise InputError(f"{source} is damaged: random.safetensors is not the state of a generator") from None
