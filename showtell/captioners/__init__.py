"""Photos -> captions. A new captioner is one file and one line here."""

from showtell.captioners.captioner import Captioner
from showtell.captioners.ensemble import Ensemble
from showtell.captioners.huggingface.captioner import HuggingFace
from showtell.captioners.nearest import Nearest
from showtell.captioners.neural import Neural

CAPTIONERS: dict[str, type[Captioner]] = {
    "neural": Neural,
    "nearest": Nearest,
    "ensemble": Ensemble,
    "huggingface": HuggingFace,
}
