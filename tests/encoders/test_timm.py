import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from showtell.encoders import Timm
from showtell.plumbing.errors import InputError, RecipeError

VIEW = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
WAYS_OUT = ("encoder.weights=FILE", "encoder.weights=random", "encoder=lite")


def vit(**settings: object) -> Timm:
    return Timm(**{"model": "test_vit", "weights": "random", "image_size": 48, **settings})  # type: ignore[arg-type]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


def test_a_vit_gives_its_patches_and_its_class_token() -> None:
    encoder = vit()
    pixels = torch.randint(0, 256, (1, 3, 48, 48), dtype=torch.uint8)
    with torch.no_grad():
        expected = encoder.network.forward_features(encoder.normalise(pixels))
    features = encoder(pixels, VIEW)
    torch.testing.assert_close(features.tokens, expected[:, 1:], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(features.pooled, expected[:, 0], rtol=1e-3, atol=1e-3)


def test_the_tokens_of_a_vit_lie_row_by_row() -> None:
    encoder = vit()
    pixels = torch.zeros(1, 3, 48, 48, dtype=torch.uint8)
    changed = pixels.clone()
    changed[..., :16, 32:] = 255  # top right
    encoder.network.blocks = torch.nn.Identity()  # each patch sees itself alone
    moved = (encoder(changed, VIEW).tokens - encoder(pixels, VIEW).tokens).abs().sum(2)[0]
    assert moved.nonzero().flatten().tolist() == [2]
    torch.testing.assert_close(encoder(pixels, VIEW).boxes[0, 2], torch.tensor([2 / 3, 0, 1, 1 / 3]))


def test_a_network_without_a_class_token_gives_the_mean() -> None:
    for model in ("test_vit4", "test_resnet"):
        features = vit(model=model, image_size=64)(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), VIEW)
        torch.testing.assert_close(features.pooled, features.tokens.mean(1), rtol=2e-3, atol=2e-3)


def test_the_last_blocks_train_and_the_first_do_not() -> None:
    encoder = vit(trainable=2)
    trained = {name.split(".")[2] for name, p in encoder.named_parameters() if p.requires_grad and "blocks" in name}
    assert trained == {"4", "5"} and encoder.network.norm.weight.requires_grad
    assert not encoder.network.cls_token.requires_grad


@pytest.mark.slow
def test_a_last_norm_that_is_a_group_of_its_own_trains_with_its_block() -> None:
    encoder = vit(model="swin_tiny_patch4_window7_224", image_size=56, trainable=1)
    trained = {name for name, p in encoder.named_parameters() if p.requires_grad}
    assert {"network.norm.weight", "network.layers.3.blocks.1.mlp.fc2.weight"} <= trained
    assert not any(name.startswith("network.layers.2.") for name in trained)


def test_no_size_and_zero_are_the_networks_own() -> None:
    for image_size in (None, 0):
        assert vit(image_size=image_size).image_size == 160


@pytest.mark.slow
def test_weights_from_a_file_are_read(tmp_path: Path) -> None:
    source = vit()
    save_file(source.network.state_dict(), tmp_path / "w.safetensors")
    torch.save({"state_dict": source.network.state_dict()}, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        encoder = vit(weights=str(tmp_path / name))
        assert encoder.fingerprint == source.fingerprint and encoder.reloadable and not source.reloadable


def test_a_file_for_another_size_is_interpolated(tmp_path: Path) -> None:
    save_file(vit(image_size=64).network.state_dict(), tmp_path / "w.safetensors")
    encoder = vit(weights=str(tmp_path / "w.safetensors"))
    assert encoder.network.pos_embed.shape == (1, 10, 64)


def test_a_file_that_does_not_fit_is_refused_with_the_tensors(tmp_path: Path) -> None:
    state = vit().network.state_dict()
    state["norm.weight"] = torch.zeros(5)
    state["blocks.7.norm1.weight"] = state.pop("norm.bias").clone()
    path = tmp_path / "w.safetensors"
    save_file(state, path)
    with pytest.raises(InputError) as caught:
        vit(weights=str(path))
    assert str(caught.value) == (
        f"encoder.weights={path} does not fit 'test_vit': norm.weight is (5,), not (64,); norm.bias is missing; "
        "blocks.7.norm1.weight is not in this network; name the model that the file was made for with encoder.model"
    )


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda tensor: tensor.bool(), "has torch.bool"),
        (lambda tensor: tensor.int(), "has torch.int32"),
        (lambda tensor: tensor * float("nan"), "has infinite or NaN values"),
        (lambda tensor: tensor.double() + 1e300, "has infinite or NaN values"),
    ],
)
def test_a_file_of_other_numbers_is_refused_by_name(tmp_path: Path, ending: str, wrong: Any, told: str) -> None:
    state = vit().network.state_dict()
    state["pos_embed"] = wrong(state["pos_embed"])
    path = tmp_path / f"w.{ending}"
    save_file(state, path) if ending == "safetensors" else torch.save(state, path)
    with pytest.raises(InputError, match=f"^encoder.weights={path}: pos_embed {told}"):
        vit(weights=str(path))


def test_a_file_that_is_not_there_or_holds_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^encoder.weights=no.pth does not exist; it takes hub, random"):
        vit(weights="no.pth")
    torch.save(vit().network, tmp_path / "module.pth")
    with pytest.raises(InputError, match=r"module.pth: not a file of plain tensors \(it is a pickle of other things"):
        vit(weights=str(tmp_path / "module.pth"))
    with pytest.raises(InputError, match=r" is a folder, not an ordinary file; it takes hub, random or a file$"):
        vit(weights=str(tmp_path))
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(InputError, match=r"cut.safetensors: not a file of plain tensors \(.*\); use .safetensors$"):
        vit(weights=str(tmp_path / "cut.safetensors"))
    torch.save({"epoch": 3}, tmp_path / "epoch.pth")
    with pytest.raises(InputError, match=r"epoch.pth: not only tensors; save the network's state_dict"):
        vit(weights=str(tmp_path / "epoch.pth"))


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("norm.weight", torch.ones(1).expand(10**5, 10**5), "the file lacks numbers of norm.weight"),
        ("norm.weight", torch.eye(64).to_sparse(), "the file lacks numbers of norm.weight"),
        ("norm.weight", torch.ones(64, device="meta"), "the file lacks numbers of norm.weight"),
        ("pos_embed", torch.ones(3), "does not fit 'test_vit'"),
        ("patch_embed.proj.weight", torch.ones(3), "does not fit 'test_vit'"),
    ],
    ids=["one number for all", "sparse", "no numbers", "positions", "patches"],
)
def test_a_tensor_that_is_not_whole_or_has_another_shape_is_refused(
    name: str, tensor: torch.Tensor, said: str, tmp_path: Path
) -> None:
    state = vit().network.state_dict()
    torch.save(state | {name: tensor}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=said):
        vit(weights=str(tmp_path / "w.pth"))


def test_a_compressed_file_of_torchs_is_refused(tmp_path: Path) -> None:
    torch.save(vit().network.state_dict() | {"x": torch.zeros(10**6)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as whole, zipfile.ZipFile(tmp_path / "small.pth", "w", 8) as small:
        for part in whole.namelist():
            small.writestr(part, whole.read(part))
    with pytest.raises(InputError, match="larger than the file"):
        vit(weights=str(tmp_path / "small.pth"))


@pytest.mark.usefixtures("offline")
def test_without_the_hub_the_error_names_the_ways_out() -> None:
    with pytest.raises(InputError) as caught:
        vit(weights="hub")
    assert "'test_vit' is not in the local cache" in str(caught.value)
    assert all(way in str(caught.value) for way in WAYS_OUT)


@pytest.mark.usefixtures("offline")
def test_a_half_filled_hub_cache_gives_the_same_ways_out(tmp_path: Path) -> None:
    (tmp_path / "models--timm--test_vit.r160_in1k").mkdir()
    with pytest.raises(InputError, match=r"^encoder.weights=hub: 'test_vit' .*; set encoder.weights=FILE"):
        vit(weights="hub")


def test_a_model_without_published_weights_says_so() -> None:
    with pytest.raises(RecipeError, match=r"^encoder.weights=hub: .* 'efficientnet_lite1'; set encoder.weights=FILE"):
        Timm(model="efficientnet_lite1")


def test_a_wrong_image_size_names_the_nearest() -> None:
    with pytest.raises(RecipeError) as caught:
        vit(image_size=50)
    assert str(caught.value) == "image_size is 50; it takes multiples of the patch size 16, such as 48"


def test_a_wrong_model_or_tag_names_what_there_is() -> None:
    with pytest.raises(RecipeError, match="is not a model of timm") as caught:
        Timm(model="test_vitt")
    assert (caught.value.key, caught.value.value, caught.value.near) == ("model", "test_vitt", "test_vit")
    with pytest.raises(RecipeError, match=r"no such weights; test_vit has r160_in1k$") as caught:
        Timm(model="test_vit.x")
    assert (caught.value.key, caught.value.value) == ("model", "test_vit.x")


def test_trainable_is_none_all_or_a_number_of_blocks() -> None:
    for wrong in (0, 8, "some"):
        with pytest.raises(RecipeError) as caught:
            vit(trainable=wrong)
        assert (caught.value.key, caught.value.value) == ("trainable", wrong)
        assert str(caught.value).endswith("'test_vit' takes none, all or 1 to 7")


@pytest.mark.slow
def test_importing_the_encoders_imports_no_network_library() -> None:
    code = "import sys, showtell.encoders; print([m for m in ('timm', 'torchvision') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.slow
def test_torchvision_imports_after_the_repair_and_only_broken_ones_are_touched() -> None:
    code = """
from showtell.plumbing.torchvision_repair import repair_torchvision
repair_torchvision()
import torchvision
repair_torchvision()
import torchvision.transforms.v2, torchvision.models
import sys
assert sys.modules["torchvision"] is torchvision
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
