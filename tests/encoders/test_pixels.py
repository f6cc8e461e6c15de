import torch
from PIL import Image

from showtell.encoders.grid import grid_features, pool_grid
from showtell.encoders.pixels import Normalise, Square


def halves(width: int, height: int) -> Image.Image:
    """Left half red, right half blue, a green line at the very left."""
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    image.paste((0, 255, 0), (0, 0, width // 8, height))
    return image


def test_stretch_shows_the_whole_image() -> None:
    pixels, view = Square(16, "stretch")(halves(80, 40))
    assert view.tolist() == [0, 0, 1, 1]
    assert pixels[:, 8, 0].tolist() == [0, 255, 0] and pixels[:, 8, 15].tolist() == [0, 0, 255]


def test_crop_shows_the_centre_square_and_says_so() -> None:
    pixels, view = Square(16, "crop")(halves(80, 40))
    assert view.tolist() == [0.25, 0, 0.75, 1]
    assert pixels[:, 8, 0].tolist() == [255, 0, 0] and pixels[:, 8, 15].tolist() == [0, 0, 255]
    assert Square(16, "crop")(halves(40, 80))[1].tolist() == [0, 0.25, 1, 0.75]


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = torch.zeros(64, 64, 3, dtype=torch.uint8)
    stripes[:, ::2] = 255
    pixels, _ = Square(8, "stretch")(Image.fromarray(stripes.numpy()))
    assert pixels.min() > 120 and pixels.max() < 135


def test_normalising_is_per_channel_and_saves_nothing() -> None:
    normalise = Normalise((1.0, 2.0, 3.0), (1.0, 2.0, 4.0))
    pixels = torch.tensor([3, 6, 11], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert normalise(pixels).flatten().tolist() == [2, 2, 2]
    assert normalise.state_dict() == {}


def test_pooling_a_grid_averages_cells_and_recomputes_boxes() -> None:
    grid = torch.arange(16.0).reshape(1, 1, 4, 4)
    features = pool_grid(grid_features(grid, torch.tensor([[0.2, 0.0, 1.0, 0.8]])), 2)
    assert features.tokens[0, :, 0].tolist() == [2.5, 4.5, 10.5, 12.5]
    torch.testing.assert_close(features.boxes[0, 1], torch.tensor([0.6, 0.0, 1.0, 0.4]))
    assert features.mask.shape == (1, 4) and features.pooled.tolist() == [[7.5]]


def test_a_finer_grid_repeats_cells() -> None:
    features = grid_features(torch.arange(4.0).reshape(1, 1, 2, 2), torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    assert pool_grid(features, 4).tokens[0, :, 0].tolist() == [0, 0, 1, 1] * 2 + [2, 2, 3, 3] * 2
    assert pool_grid(features, None) is features
