"""Exported graphs against eager torch, fp32: an encoder's pass, and one step of a beam search.

The step has 16 photos, 5 beams, 10 words so far and 49 visual tokens: a Transformer of 3 layers, 256 wide, 5,000 words.
In int8 the matrices are bytes; how often both name the same likeliest word is in the note.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import Ratio, compare
from showtell.decoders import DECODERS
from showtell.encoders import ENCODERS
from showtell.export.graphs import Graph, graphs
from showtell.export.write import quantize, write_graph
from showtell.features import Features

Session = Callable[[dict[str, Tensor]], list[Any]]


@torch.no_grad()
def run(quick: bool = False) -> list[Ratio]:
    photos, beams, written, repeats = (2, 2, 2, 1) if quick else (16, 5, 10, 7)
    torch.manual_seed(0)
    size = {"dim": 16, "mlp_dim": 32, "layers": 1} if quick else {}
    decoder = DECODERS["transformer"](384, 50 if quick else 5000, **size).eval()
    encoder: Any = ENCODERS["cnn" if quick else "timm"](**_encoder(quick)).eval()
    tokens = torch.randn(3, 49, encoder.dim if quick else 384)
    if quick:
        decoder = DECODERS["transformer"](encoder.dim, 50, **size).eval()
    seen = Features(tokens, torch.ones(3, 49, dtype=torch.bool), tokens.mean(1), torch.rand(3, 49, 4))
    made = graphs(encoder, decoder, seen)
    with tempfile.TemporaryDirectory() as folder:
        return [
            _encoded(made["encoder"], Path(folder), photos, repeats),
            *_stepped(made["step"], Path(folder), (photos, beams, written), repeats),
        ]


def _encoder(quick: bool) -> dict[str, Any]:
    return {"image_size": 32, "width": 8} if quick else {"model": "vit_small_patch16_224", "weights": "random"}


def _session(path: Path) -> Session:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options)
    names = [each.name for each in session.get_inputs()]

    def call(inputs: dict[str, Tensor]) -> list[Any]:
        return list(session.run(None, {name: inputs[name].numpy() for name in names}))

    return call


def _encoded(graph: Graph, folder: Path, photos: int, repeats: int) -> Ratio:
    write_graph(graph, folder / "encoder.onnx")
    session = _session(folder / "encoder.onnx")
    inputs = {name: _rows(tensor, photos) for name, tensor in graph.inputs.items()}
    return compare(
        "exported encoder, fp32: eager / onnxruntime",
        lambda: session(inputs),
        lambda: graph.module(*inputs.values()),
        repeats,
        1.8,
        f"{photos} photos, ViT-S/16" if photos > 2 else "a small network",
    )


def _stepped(graph: Graph, folder: Path, sizes: tuple[int, int, int], repeats: int) -> list[Ratio]:
    photos, beams, written = sizes
    inputs = {}
    for name, tensor in graph.inputs.items():
        axes = graph.shapes[name]
        shape = list(tensor.shape)
        for axis, count in zip(axes, (photos, beams, written)[: len(axes)], strict=True):
            shape[axis] = count
        inputs[name] = torch.randn(shape) if tensor.is_floating_point() else torch.ones(shape, dtype=tensor.dtype)
    paths = {"fp32": folder / "step.onnx", "int8": folder / "step8.onnx"}
    for path in paths.values():
        write_graph(graph, path)
    quantize(paths["int8"])
    wanted = graph.module(*inputs.values())[0].argmax(-1).numpy()
    ratios = []
    for name, target in (("fp32", 1.8), ("int8", 2.5)):
        session = _session(paths[name])
        same = float(np.mean(session(inputs)[0].argmax(-1) == wanted))
        ratios.append(
            compare(
                f"exported step, {name}: eager fp32 / onnxruntime",
                lambda session=session: [session(inputs) for _ in range(20)],
                lambda: [graph.module(*inputs.values()) for _ in range(20)],
                repeats,
                target,
                f"{photos} photos, {beams} beams, {written} words; the likeliest word is the same in {same:.0%}",
            )
        )
    return ratios


def _rows(tensor: Tensor, count: int) -> Tensor:
    return tensor[:1].expand(count, *tensor.shape[1:]).contiguous()
