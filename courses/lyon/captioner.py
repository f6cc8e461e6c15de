"""A checkpoint of the tutorial's form -> a captioner."""

from collections.abc import Sequence

from checkpoint import read

from showtell.captioners.neural import Neural
from showtell.plumbing.errors import InputError
from showtell.recipe.build import build_encoder, build_neural
from showtell.recipe.check import check
from showtell.settings.text import override
from showtell.tokenizers.word_map import WordMap


def captioner_of(path: str, word_map: str, changes: Sequence[str] = ()) -> Neural:
    """The captioner of a checkpoint, with the words of a WORDMAP_*.json. `changes` are `key=value` of its recipe."""
    content = read(path, "--model")
    recipe, words = check(override(content["recipe"], changes)), WordMap(file=word_map)
    if recipe["encoder"]["name"] == "timm":
        recipe["encoder"]["weights"] = "random"  # the checkpoint has them all
    captioner = build_neural(recipe, build_encoder(recipe), words)
    try:
        for part, name in ((captioner.encoder, "encoder"), (captioner.decoder, "decoder")):
            part.load_state_dict(content[name])
            part.eval()
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()
        raise InputError(f"is {path}, which does not fit {word_map}: {reason}", key="--model", value=path) from None
    return captioner
