"""The given decoder weights: their names must be those of the course (`h.0.attn.c_attn.weight`), without a prefix."""

from pathlib import Path

from showtell import checkpoint
from showtell.plumbing.errors import InputError
from showtell.plumbing.weights import read_weights


def check_names(file: Path) -> None:
    """Loaded with strict=False, other names would load nothing and say nothing. So they are refused here."""
    names = list(read_weights(file, "decoder weights"))
    if not {"wte.weight", "wpe.weight"} <= set(names):
        wrong = f"are {file}, whose names begin with {names[0]}"
        takes = "wte.weight, wpe.weight, h.0.attn.c_attn.weight and so on, without a prefix"
        raise InputError(wrong, key="decoder weights", value=str(file), takes=takes)


def moved(folder: Path, file: Path) -> list[str]:
    """The change of a checkpoint's recipe that reads the decoder from `file`.

    A decoder that is not GPT-2, as `p2_train.py decoder=language_model` trains, reads its own weights.
    """
    recipe = folder / checkpoint.RECIPE
    if recipe.is_file() and checkpoint.read_recipe(folder)["decoder"]["name"] != "gpt2":
        return []
    check_names(file)
    return [f"decoder.weights={file.resolve()}"]
