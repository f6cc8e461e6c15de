"""Where the course's checkpoints lie: `<modelsDir><modelName>last_epoch<N>.pt` and `best_epoch<N>.pt`."""

from pathlib import Path


def place(param: dict, begin: str) -> tuple[Path, str]:
    """The course joins the texts: `storedModels/` and `model_0/` name a folder, `storedModels/` and `a` a begin."""
    folder, _, name = f"{param['modelsDir']}{param['modelName']}{begin}".rpartition("/")
    return Path(folder), name


def checkpoints(param: dict, *begins: str) -> list[Path]:
    """The files that begin so, the highest epoch last: `best_epoch9.pt` stands before `best_epoch10.pt`."""
    places = [place(param, begin) for begin in begins or ("last_epoch", "best_epoch")]
    files = [path for folder, name in places for path in folder.glob(f"{name}*.pt")]
    return sorted(files, key=lambda path: (not path.stem.startswith("last"), len(path.stem), path.stem))
