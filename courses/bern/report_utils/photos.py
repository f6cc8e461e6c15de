"""The five test photos with their references, the captions of all models, and the attention of model 6."""

import csv
from pathlib import Path

from matplotlib.figure import Figure

from showtell.data.images import open_image
from showtell.report.heat import overlay

from .attention import attention_of
from .pixels import normalised
from .trained import load_model
from .vocabulary import Vocabulary

EXAMPLES = Path("flickr8k/test_examples")
WORDS = Path("flickr8k/vocabulary_captions.txt")


def examples() -> dict[Path, list[str]]:
    """The photos of test_examples/ with their captions."""
    (table,) = [path for path in EXAMPLES.iterdir() if path.suffix in (".txt", ".csv")]
    found: dict[Path, list[str]] = {}
    with table.open(newline="") as file:
        for name, caption in list(csv.reader(file))[1:]:
            found.setdefault(EXAMPLES / name, []).append(caption)
    return found


def models(names: list[str]) -> dict[str, object]:
    """The trained models among these, by name."""
    paths = {name: Path("checkpoints", name, "model.pth.tar") for name in names}
    words = Vocabulary(str(WORDS))
    return {name: load_model(path, words) for name, path in paths.items() if path.is_file()}


def captions(photo: Path, of: dict[str, object]) -> str:
    """The captions of all models, as a Markdown list."""
    said = {name: model.generate_image_caption_tokens(image=normalised(photo)) for name, model in of.items()}
    return "\n".join(f"- {name}: {' '.join(words)}" for name, words in said.items())


def attention(photo: Path, model: object, count: int = 3) -> Figure:
    """The photo with its caption, and the maps of `count` words: those with the most concentrated attention."""
    image, (words, maps, boxes) = open_image(photo), attention_of(model, normalised(photo))
    chosen = sorted(maps.max(1).values.argsort(descending=True)[:count].tolist()) if len(words) else []
    figure = Figure(figsize=(3 * (len(chosen) + 1), 3.2), layout="constrained")
    panels = figure.subplots(1, len(chosen) + 1, squeeze=False)[0]
    for axes, number in zip(panels, [None, *chosen], strict=True):
        axes.imshow(image if number is None else overlay(image, maps[number], boxes))
        axes.set_title("" if number is None else words[number], fontsize=10)
        axes.set_axis_off()
    figure.suptitle(" ".join(words), fontsize=11)
    return figure
