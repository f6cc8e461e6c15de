"""The same few features in every form that can be read, written as people write them."""

import pickle
from pathlib import Path

import numpy as np

from showtell.regions.readers import Array

Images = dict[str, tuple[Array, Array | None]]  # features (N D) or (D), boxes (N 4)


def images(boxes: bool = True, *, dim: int = 6, counts: tuple[int, ...] = (3, 1, 5), names: str = "abc") -> Images:
    """Images `a`, `b`, `c` of 3, 1 and 5 regions."""
    draw = np.random.default_rng(0)
    made: Images = {}
    for name, count in zip(names, counts, strict=True):
        corners = np.sort(draw.random((count, 2, 2), dtype=np.float32), axis=1).reshape(count, 4)
        made[name] = (draw.standard_normal((count, dim), dtype=np.float32), corners if boxes else None)
    return made


def _flat(made: Images) -> dict[str, Array]:
    flat = {name: features for name, (features, _) in made.items()}
    return flat | {f"{name}:boxes": boxes for name, (_, boxes) in made.items() if boxes is not None}


def write_npy(root: Path, made: Images) -> Path:
    for name, (features, boxes) in made.items():
        path = root / "npy" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, features)
        if boxes is not None:
            np.save(root / "npy" / f"{name}.boxes.npy", boxes)
    return root / "npy"


def write_npz_each(root: Path, made: Images) -> Path:
    for name, (features, boxes) in made.items():
        path = root / "each" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, features=features, **({} if boxes is None else {"boxes": boxes}))
    return root / "each"


def write_npz(root: Path, made: Images) -> Path:
    np.savez(root / "all.npz", **_flat(made))
    return root / "all.npz"


def write_safetensors(root: Path, made: Images) -> Path:
    from safetensors.numpy import save_file

    save_file(_flat(made), root / "all.safetensors")
    return root / "all.safetensors"


def write_h5(root: Path, made: Images) -> Path:
    import h5py

    with h5py.File(root / "all.h5", "w") as file:
        for name, (features, boxes) in made.items():
            file[f"{name}/features"] = features
            if boxes is not None:
                file[f"{name}/boxes"] = boxes
    return root / "all.h5"


def write_flat_h5(root: Path, made: Images) -> Path:
    import h5py

    with h5py.File(root / "flat.hdf5", "w") as file:
        for name, array in _flat(made).items():
            file[name] = array
    return root / "flat.hdf5"


def write_pickle(root: Path, made: Images, protocol: int = 4) -> Path:
    path = root / f"all{protocol}.pkl"
    entries = {name: {"features": f} | ({} if b is None else {"boxes": b}) for name, (f, b) in made.items()}
    path.write_bytes(pickle.dumps(entries, protocol))
    return path


WRITERS = {
    "npy": write_npy,
    "npz each": write_npz_each,
    "npz": write_npz,
    "safetensors": write_safetensors,
    "h5": write_h5,
    "flat h5": write_flat_h5,
    "pickle": write_pickle,
}
