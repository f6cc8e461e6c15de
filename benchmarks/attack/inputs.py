"""Each kind of input -> a command that reads a damaged one. A new kind is one function and one line of KINDS."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import showtell
from benchmarks.attack.forked import command
from benchmarks.attack.mutate import mutated
from benchmarks.attack.seeds import CAPTIONS
from showtell.plumbing.language_models import language_model

Work = Callable[[], object]
OF_RUN = ("recipe.yaml", "metrics.jsonl", "made.json", "last/state.json", "last/random.safetensors", "metrics.csv")


def photos(seeds: Path, folder: Path, random: Random) -> Work:
    chosen = random.choice(sorted((seeds / "photos").iterdir()))
    (folder / "album").mkdir()
    (folder / "album" / chosen.name).write_bytes(mutated(chosen.read_bytes(), random))
    return command("doctor", folder / "album")


def captions(seeds: Path, folder: Path, random: Random) -> Work:
    form = random.choice([path for path in sorted((seeds / "captions").iterdir()) if path.name != "tar"])
    shutil.copytree(form, folder / "data")
    _damage([path for path in (folder / "data").iterdir() if path.suffix != ".png"], random)
    return command("doctor", folder / "data")


def tars(seeds: Path, folder: Path, random: Random) -> Work:
    shutil.copytree(seeds / "captions" / "tar", folder / "data")
    _damage([*(folder / "data").iterdir()], random)
    return command("doctor", folder / "data")


def recipes(seeds: Path, folder: Path, random: Random) -> Work:
    file = folder / "recipe.yaml"
    file.write_bytes(mutated((seeds / "recipe.yaml").read_bytes(), random))
    return lambda: showtell.load_recipe(str(file))


def candidates(seeds: Path, folder: Path, random: Random) -> Work:
    files = [folder / "candidates.json", folder / "references.json"]
    files[0].write_text(json.dumps({name: texts[0] for name, texts in CAPTIONS.items()}))
    files[1].write_text(json.dumps(CAPTIONS))
    _damage(files, random)
    return command("score", "--candidates", files[0], "--references", files[1], "--metrics", "BLEU-4,CIDEr-D")


def weights(seeds: Path, folder: Path, random: Random) -> Work:
    return _with_damaged(seeds, folder, ("model.safetensors",), random)


def tokenizers(seeds: Path, folder: Path, random: Random) -> Work:
    return _with_damaged(seeds, folder, ("tokenizer.json",), random)


def runs(seeds: Path, folder: Path, random: Random) -> Work:
    shutil.copytree(seeds / "run", folder / "run")
    _damage([path for path in (folder / "run" / name for name in OF_RUN) if path.is_file()], random)
    report = command("report", folder / "run", "--out", folder / "report")
    return random.choice((report, command("train", seeds / "recipe.yaml", "--run", folder / "run", "--resume")))


def features(seeds: Path, folder: Path, random: Random) -> Work:
    """The cache of features and drawn scenes."""
    cache = Path(os.environ["SHOWTELL_CACHE"])
    shutil.copytree(cache, folder / "cache")
    _damage([path for path in sorted((folder / "cache").rglob("*")) if path.is_file() and path.stat().st_size], random)
    evaluate = command("evaluate", seeds / "run", "--out", folder / "scores", "evaluate.metrics=[CIDEr-D]")

    def work() -> None:
        os.environ["SHOWTELL_CACHE"] = str(folder / "cache")
        evaluate()

    return work


def regions(seeds: Path, folder: Path, random: Random) -> Work:
    shutil.copytree(seeds / "regions", folder / "regions")
    chosen = random.choice(sorted((folder / "regions").iterdir()))
    _damage([chosen], random)
    data = ("data=karpathy", f"data.root={seeds / 'captions' / 'karpathy'}")
    return command("features", seeds / "recipe.yaml", *data, "regions=precomputed", f"regions.file={chosen}")


def language_models(seeds: Path, folder: Path, random: Random) -> Work:
    """A GGUF file, which is converted into the cache."""
    file = folder / "model.gguf"
    file.write_bytes(mutated((seeds / "model.gguf").read_bytes(), random))

    def work() -> None:
        os.environ["SHOWTELL_CACHE"] = str(folder / "cache")
        language_model(str(file), "decoder.model")

    return work


KINDS: dict[str, Callable[[Path, Path, Random], Work]] = {
    "photos": photos,
    "captions": captions,
    "tars": tars,
    "recipes": recipes,
    "candidates": candidates,
    "weights": weights,
    "tokenizers": tokenizers,
    "runs": runs,
    "features": features,
    "regions": regions,
    "language_models": language_models,
}


def _with_damaged(seeds: Path, folder: Path, names: Sequence[str], random: Random) -> Work:
    shutil.copytree(seeds / "run", folder / "run")
    _damage([folder / "run" / name for name in names], random)
    return command("caption", seeds / "photos" / "png.png", "--model", folder / "run")


def _damage(files: Sequence[Path], random: Random) -> None:
    chosen = random.choice(files)
    chosen.write_bytes(mutated(chosen.read_bytes(), random))
