"""The folder of an exported captioner: three graphs, settings, a runner and a card; whole or not at all.

Every graph is run once by onnxruntime and compared with torch before the folder gets its name.
"""

import logging
import os
import shutil
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from showtell.captioners.captioner import Captioner
from showtell.captioners.neural import Neural
from showtell.decode.spelling import banned
from showtell.encoders.encoder import Encoder
from showtell.export import run as runner
from showtell.export.graphs import TRACED, Graph, graphs
from showtell.export.words import text_form
from showtell.features import Features
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import check_folder, write_json, write_text
from showtell.plumbing.half import made_whole
from showtell.plumbing.reading import read_json

DECODERS = ("recurrent", "attend", "topdown", "transformer", "gpt2")
STRATEGIES = ("beam", "greedy")
CLOSE = 1e-3  # of the largest number that a graph gives
OPSET = 20
GRAPHS = ("encoder.onnx", "start.onnx", "step.onnx")
SETTINGS = "settings.json"
FILES = (*GRAPHS, SETTINGS, "run.py", "recipe.yaml", "README.md")
TOKENIZERS = ("tokenizer.json", "tokenizer.model")
KEYS = {"begin", "eos", "suppress", "squares", "text"}  # in settings.json; no other program's has all of them


def export(captioner: Captioner, folder: Path, int8: bool = False, say: Callable[[str], None] = print) -> None:
    """Write the captioner into `folder` as ONNX. `int8` stores the decoder's matrices as bytes.

    Raises RecipeError for captioners and options that the runner does not know, InputError if a package is missing, if
    the folder holds something else, or if a graph does not compute what torch computes.
    """
    check_packages()
    captioner = checked(captioner)
    settings = settings_of(captioner)
    check_free(folder)
    try:
        with made_whole(Path(os.path.realpath(folder)), replace=True) as half:
            _write_graphs(captioner, half, int8, say)
            write_json(half / SETTINGS, settings)
            shutil.copyfile(runner.__file__, half / "run.py")
            captioner.save_settings(half)
            write_text(half / "README.md", card(captioner, int8))
            check_free(folder)  # again: the graphs took a while, and somebody may have put a file there
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", key=str(folder)) from None


def _write_graphs(captioner: Neural, folder: Path, int8: bool, say: Callable[[str], None]) -> None:
    for name, graph in graphs(captioner.encoder, captioner.decoder, _features(captioner)).items():
        path = folder / f"{name}.onnx"
        say(path.name)
        write_graph(graph, path)
        if int8 and name != "encoder":
            quantize(path)
        else:
            compare(graph, path)


def check_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        advice = "pip install 'showtell[onnx]'"
        raise InputError(f"needs the package {error.name}", key="export", advice=advice) from None


def checked(captioner: Captioner) -> Neural:
    """The captioner, if the runner can do what it does."""
    if not isinstance(captioner, Neural):
        raise RecipeError(f"is {captioner.name!r}, which is not exported", key="captioner.name", takes="neural")
    recipe = captioner.recipe
    decoder, regions = recipe["decoder"]["name"], recipe["regions"]["name"]
    if decoder not in DECODERS:
        raise RecipeError(f"is {decoder!r}, which is not exported", key="decoder.name", value=decoder, takes=DECODERS)
    if regions != "none" or captioner.encoder.given is not None:
        wrong = "is read, and the runner computes features from whole photos only"
        raise RecipeError(f"is {regions!r}: it {wrong}", key="regions.name", value=regions, takes=("none",))
    if captioner.views != "none":
        raise RecipeError(key="captioner.views", value=captioner.views, takes=("none",))
    for part in captioner.encoder.encoders or [captioner.encoder]:
        if not hasattr(part, "square"):
            name = recipe["encoder"]["name"]
            wrong = f"is {name!r}, whose photos are prepared in another way than the runner knows"
            raise RecipeError(wrong, key="encoder.name", value=name, takes=("lite", "timm", "cnn", "concat"))
    return captioner


def settings_of(captioner: Neural) -> dict[str, Any]:
    """What the runner reads: decoding, special ids, how photos and texts are made."""
    decode, special = captioner.decode, captioner.tokenizer.special
    if decode["name"] not in STRATEGIES:
        advice = f"add decode={STRATEGIES[0]}"
        raise RecipeError(key="decode.name", value=decode["name"], takes=STRATEGIES, advice=advice)
    if decode.get("must"):
        raise RecipeError("is not known to the runner", key="decode.must", value=list(decode["must"]))
    if decode.get("num_return_sequences", 1) != 1:
        raise RecipeError(key="decode.num_return_sequences", value=decode["num_return_sequences"], takes="1")
    name = str(captioner.recipe["tokenizer"]["name"])
    never = banned(captioner.spelling, decode.get("must_not", ()))
    return {
        "begin": list(special.begin),
        "eos": special.eos,
        "suppress": sorted({*special.suppress, *(ids[0] for ids in never if len(ids) == 1)}),
        "banned": [list(ids) for ids in never if len(ids) > 1],
        "num_beams": decode.get("num_beams", 1),
        "length_penalty": decode.get("length_penalty", 0.0),
        **{option: decode[option] for option in ("max_length", "min_length", "no_repeat_ngram_size")},
        "squares": [_square(part) for part in captioner.encoder.encoders or [captioner.encoder]],
        "text": text_form(name, captioner.tokenizer),
    }


def _square(encoder: Encoder) -> dict[str, Any]:
    square: Any = encoder.square
    return {"size": square.size, "resize": square.resize}


def check_free(folder: Path) -> None:
    """Raise InputError if the folder cannot be replaced, or holds anything but an earlier export."""
    home = Path(os.path.realpath(folder))
    if Path.cwd().is_relative_to(home):
        advice = "name a folder inside it"
        raise InputError(f"is {folder}, the folder that you are in", key="--out", value=str(folder), advice=advice)
    check_folder(folder, "--out")
    check_folder(home.parent, "--out")  # the new folder is written beside the old one
    if folder.is_dir() and (other := _no_export(folder)):
        wrong = f"is {folder}, which {other}, so it is no exported captioner"
        raise InputError(wrong, key="--out", value=str(folder), advice="name another folder")


def _no_export(folder: Path) -> str:
    """What says that a folder is neither empty nor an earlier export; "" if nothing does."""
    names = sorted(path.name for path in folder.iterdir())
    if others := [name for name in names if name not in (*FILES, *TOKENIZERS) or not (folder / name).is_file()]:
        return f"holds {others[0]}"
    if names and (missing := [name for name in (*GRAPHS, SETTINGS) if name not in names]):
        return f"holds {names[0]} and has no {missing[0]}"
    if names and not _is_ours(folder / SETTINGS):
        return f"holds another program's {SETTINGS}"
    return ""


def _is_ours(settings: Path) -> bool:
    try:
        content = read_json(settings)
    except InputError:
        return False
    return isinstance(content, dict) and content.keys() >= KEYS


@torch.no_grad()
def _features(captioner: Neural) -> Features:
    """Features of grey photos with noise, the same every time."""
    encoder, chance = captioner.encoder, torch.Generator().manual_seed(0)
    seen = []
    for part in encoder.encoders or [encoder]:
        shape = (TRACED, 3, part.image_size, part.image_size)
        pixels = torch.randint(0, 256, shape, generator=chance, dtype=torch.uint8)
        view = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(TRACED, -1)
        seen.append(part.pool(part(pixels, view)))
    joined = encoder.join(seen) if encoder.encoders else seen[0]
    assert isinstance(joined, Features)
    return joined


@torch.no_grad()
def write_graph(graph: Graph, path: Path) -> None:
    module = graph.module.eval()
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            shapes: dict[str, Any] = {_variadic(module): tuple(graph.shapes.values())}
            if "words" in graph.inputs:
                first, *rest = graph.shapes.values()
                shapes = {"words": first, "parts": tuple(rest)}
            given = tuple(graph.inputs.values())
            traced = torch.export.export(module, given, dynamic_shapes=shapes, strict=False)
            torch.onnx.export(
                traced,
                (),
                str(path),
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                input_names=[*graph.inputs],
                output_names=[*graph.outputs],
            )
        except Exception as error:  # the exporters raise nearly anything
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"cannot be exported: {reason}", key=path.name) from error


def _variadic(module: nn.Module) -> str:
    """What `forward` calls its tensors."""
    return {"See": "squares", "Start": "features", "Step": "parts"}[type(module).__name__]


@torch.no_grad()
def compare(graph: Graph, path: Path) -> None:
    """Raise InputError unless onnxruntime gives torch's numbers, for as many photos as traced and for one."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    known = {each.name for each in session.get_inputs()}
    for count in (TRACED, 1):
        inputs = {name: tensor[:count].contiguous() for name, tensor in graph.inputs.items()}
        found = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items() if name in known})
        for name, mine, wanted in zip(graph.outputs, found, graph.module(*inputs.values()), strict=True):
            far = _far(mine, wanted)
            if not far < CLOSE:
                raise InputError(f"{name} differs from torch's by {far:.2g} of the largest", key=path.name)


def _far(mine: Any, wanted: Tensor) -> float:
    expected = wanted.numpy().astype(np.float64)
    if mine.shape != expected.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    return float(np.abs(mine - expected).max() / max(np.abs(expected).max(), 1e-6))


def quantize(path: Path) -> None:
    """Store the matrices of a graph as bytes with a scale; sums are computed in whole numbers."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)  # it advises steps that these graphs do not need
    try:
        quantize_dynamic(str(path), str(path), weight_type=QuantType.QInt8, per_channel=True)
    finally:
        logging.disable(logging.NOTSET)


def card(captioner: Neural, int8: bool) -> str:
    kept = "The decoder's matrices are stored as int8.\n" if int8 else ""
    return f"""# An image captioner as ONNX

Made with Showtell: {captioner.parts}. {kept}
`python run.py photo.jpg` captions a photo; it needs numpy, Pillow and onnxruntime.

| file | reads | gives |
|---|---|---|
| `encoder.onnx` | `pixels0` (B 3 size size) bytes, `view0` (B 4), and so on for each encoder | features |
| `start.onnx` | features | `memory.*` of each photo, `state.*` of an empty caption |
| `step.onnx` | `words` (B K), `memory.*`, `state.*` | `logits` (B K V), `new.state.*` |

`settings.json` has the decoding, the special ids, the sizes of photos and how ids become text.
"""
