"""Curves, BLEU, captions and attention pictures of every BEST_checkpoint_*.pth.tar in the working folder."""

import sys
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from showtell.data.images import open_image
from showtell.explain.explain import explain
from showtell.report.strip import attention_figure
from showtell.training.log import read_log

sys.path.insert(0, str(Path(__file__).parents[1]))
from bleu import score_of
from captioner import captioner_of
from checkpoint import read


def checkpoints() -> dict[str, tuple[dict, object]]:
    """Name -> (content, captioner) of each; `models/NAME/` may hold the checkpoints of other variants."""
    found, best = {}, "BEST_checkpoint_*.pth.tar"
    for path in sorted([*Path().glob(best), *Path("models").glob(f"*/{best}")]):
        content = read(str(path), "checkpoint")
        name = path.parent.name or content["recipe"]["encoder"]["name"] + " " + content["recipe"]["decoder"]["cell"]
        found[name] = content, captioner_of(str(path), content["recipe"]["tokenizer"]["file"])
    return found


def curves(models: dict) -> Figure:
    figure = Figure(figsize=(8, 3), layout="constrained")
    for axes, key in zip(figure.subplots(1, 2), ("val_loss", "BLEU-4"), strict=True):
        for name, (content, _) in models.items():
            rows = [row for row in read_log(Path(content["run"])) if key in row]
            axes.plot([row["epoch"] for row in rows], [row[key] for row in rows], marker=".", label=name)
        axes.set(xlabel="epoch", title={"val_loss": "validation loss per word", "BLEU-4": "BLEU-4, greedy"}[key])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False)
    return figure


def table(models: dict, size: int = 5) -> str:
    lines = [f"| model, beam size {size} | BLEU-1 | BLEU-2 | BLEU-3 | BLEU-4 |", "|---|---|---|---|---|"]
    for name, (content, captioner) in models.items():
        scores = score_of(captioner, content["recipe"]["data"]["root"], content["recipe"]["data"]["base"], "test", size)
        lines.append(f"| {name} | {' | '.join(f'{value:.3f}' for value in scores.values())} |")
    return "\n".join(lines)


def beams(models: dict) -> str:
    return "\n\n".join(table(models, size) for size in (1, 3, 5))


def photos() -> list[Path]:
    return sorted(path for path in Path("photos").glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))[:5]


def attention(photo: Path, model: tuple[dict, object]) -> Figure:
    image = open_image(photo)
    return attention_figure(image, explain(model[1], image.resize((256, 256)), how="attention"))
