"""Names and shapes of a decoder's tensors: Showtell's <-> those of the course's networks."""

from torch import Tensor
from torch.nn.functional import pad

NEVER = -1e4  # the bias of a word that the vocabulary does not have
PAIRS = {"words.": "embedding_layer.", "output.": "output_layer.", "visual.linear.": "input_layer.1."}
PAIRS |= {"cell.cells.": "rnn.cells."}
PAIRS_4 = {"words.": "embedding_layer.", "output.": "output_layer.", "linear.": "input_layer.1."}
PAIRS_4 |= {
    "norm.": "input_layer.2.",
    "first.": "rnn.cells.0.",
    "second.": "rnn.cells.1.",
    "attention.": "rnn.attention.",
}


def renamed(tensors: dict[str, Tensor], pairs: dict[str, str]) -> dict[str, Tensor]:
    found = {}
    for name, tensor in tensors.items():
        old = next((old for old in pairs if name.startswith(old)), None)
        if old is not None:
            found[pairs[old] + name[len(old) :]] = tensor
    return found


def to_course(task: int, tensors: dict[str, Tensor], words: int) -> dict[str, Tensor]:
    """The course's tables have `words` rows; rows that the vocabulary lacks are never predicted."""
    own = {name.removeprefix("decoder."): tensor for name, tensor in tensors.items()}
    state = renamed(own, PAIRS_4 if task == 4 else PAIRS)
    missing = words - len(state["output_layer.bias"])
    for name in ("embedding_layer.weight", "output_layer.weight"):
        state[name] = pad(state[name], (0, 0, 0, missing))
    state["output_layer.bias"] = pad(state["output_layer.bias"], (0, missing), value=NEVER)
    if task == 4:
        state["input_layer.1.weight"] = state["input_layer.1.weight"][..., None]
    return state


def to_showtell(task: int, state: dict[str, Tensor], words: int) -> dict[str, Tensor]:
    own = renamed(state, {new: old for old, new in (PAIRS_4 if task == 4 else PAIRS).items()})
    for name in ("words.weight", "output.weight", "output.bias"):
        own[name] = own[name][:words]
    if task == 4:
        own["linear.weight"] = own["linear.weight"][..., 0]
    return {f"decoder.{name}": tensor for name, tensor in own.items()}
