"""A run's recipe -> the few words that a table has room for."""

from collections.abc import Mapping
from typing import Any

from showtell.report.runs.read import Run

# What tells two parts of the same name apart, in this order.
TELLING = {
    "encoder": ("model", "version", "dim", "encoders"),
    "decoder": ("model", "cell", "conditioning", "sees", "layers", "dim"),
}
PLAIN = {("layers", 1), ("version", 0)}  # not worth a word


def encoder_of(run: Run) -> str:
    """`lite, frozen`"""
    if run.recipe.get("captioner", {}).get("name") == "huggingface":
        return "its own"
    section = run.recipe.get("encoder", {})
    how = {"none": "frozen", "all": "trained"}.get(str(section.get("trainable")), "")
    if section.get("trainable") not in (None, "none", "all"):
        how = f"trained: {section['trainable']}"
    regions = run.recipe.get("regions", {}).get("name", "none")
    words = [_part("encoder", section), how, regions if regions != "none" else ""]
    return ", ".join(word for word in words if word)


def decoder_of(run: Run) -> str:
    """`recurrent lstm, every_step, dim 512`"""
    captioner = run.recipe.get("captioner", {})
    if captioner.get("name") in ("nearest", "ensemble"):
        return str(captioner["name"])
    if captioner.get("name") == "huggingface":
        return str(captioner.get("model", "huggingface"))
    section, peft = run.recipe.get("decoder", {}), run.recipe.get("peft", {}).get("name", "all")
    return _part("decoder", section) + (f", {peft}" if peft != "all" else "")


def decoding_of(run: Run) -> str:
    """`beam 5`"""
    section = run.recipe.get("decode", {})
    return f"{section.get('name', '')} {section.get('num_beams', '')}".strip()


def _part(kind: str, section: Mapping[str, Any]) -> str:
    words = [str(section.get("name", ""))]
    for key in TELLING[kind]:
        value = section.get(key)
        if value is None or (key, value) in PLAIN or isinstance(value, list | dict):
            continue
        words.append(f"{key} {value}" if isinstance(value, int | float) else str(value))
    return ", ".join(word for word in words if word)


def duration(seconds: float | None) -> str:
    """
    >>> duration(44.2), duration(754), duration(9000), duration(None)
    ('44 s', '12.6 min', '2.5 h', '')
    """
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def amount(number: int | None) -> str:
    """
    >>> amount(2_345_678), amount(45_300), amount(0), amount(None)
    ('2.35 M', '45.3 k', '0', '')
    """
    if number is None:
        return ""
    if number >= 1_000_000:
        return f"{number / 1e6:.2f} M"
    return f"{number / 1e3:.1f} k" if number >= 1000 else str(number)
