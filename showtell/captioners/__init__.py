"""Things that caption images. One more is a file and a line here, and a line for its options in showtell.recipe."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from showtell import checkpoint
from showtell.captioners.captioner import Captioner
from showtell.captioners.ensemble import Ensemble
from showtell.captioners.hub import folder_of
from showtell.captioners.nearest import Nearest
from showtell.captioners.neural import Neural
from showtell.recipe.check import check
from showtell.settings.text import override

CAPTIONERS: dict[str, type[Captioner]] = {"neural": Neural, "nearest": Nearest, "ensemble": Ensemble}
