"""The folder of an exported captioner: three graphs, settings, a runner and a card; whole or not at all.

Every graph is run once by onnxruntime and compared with torch before the folder gets its name.
"""

import logging
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
from showtell.plumbing.files import clear, write_json, write_text

DECODERS = ("recurrent", "attend", "topdown", "transformer", "gpt2")
STRATEGIES = ("beam", "greedy")
CLOSE = 1e-3  # of the largest number that a graph gives
OPSET = 20
FILES = ("encoder.onnx", "start.onnx", "step.onnx", "settings.json", "run.py", "recipe.yaml", "README.md")


def export(captioner: Captioner, folder: Path, int8: bool = False, say: Callable[[str], None] = print) -> None:
    """Write the captioner into `folder` as ONNX. `int8` stores the decoder's matrices as bytes.

    Raises RecipeError for captioners and options that the runner does not know, InputError if a package is missing, if
    the folder holds something else, or if a graph does not compute what torch computes.
    """
    check_packages()
    captioner = checked(captioner)
    settings = settings_of(captioner)
    check_free(folder)
    part = folder.with_name(f".{folder.name}.part")
    clear(part)
    try:
        part.mkdir(parents=True)
        for name, graph in graphs(captioner.encoder, captioner.decoder, _features(captioner)).items():
            say(f"{name}.onnx")
            write_graph(graph, part / f"{name}.onnx")
            if int8 and name != "encoder":
                quantize(part / f"{name}.onnx")
            else:
                compare(graph, part / f"{name}.onnx")
        write_json(part / "settings.json", settings)
        shutil.copyfile(runner.__file__, part / "run.py")
        captioner.save_settings(part)
        write_text(part / "README.md", card(captioner, int8))
        clear(folder)
        part.rename(folder)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", key=str(folder)) from None
    finally:
        clear(part)


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
    """Raise InputError if the folder holds something that is no earlier export."""
    if folder.exists() and not folder.is_dir():
        raise InputError("is not a folder", key="--out", value=str(folder), advice="name another")
    others = [path.name for path in folder.iterdir() if path.name not in FILES] if folder.is_dir() else []
    others = [name for name in others if not name.startswith("tokenizer.")]
    if others:
        wrong = f"is {folder}, which holds {others[0]}, and that is no exported captioner"
        raise InputError(wrong, key="--out", value=str(folder), advice="name another")


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
