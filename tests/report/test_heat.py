"""The light lies where the boxes say, melts over their edges, and nowhere else."""

import numpy as np
import pytest
import torch
from PIL import Image

from showtell.features import grid_boxes
from showtell.report.heat import heat, overlay, thumbnail

WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
GREY = Image.new("RGB", (90, 60), (120, 120, 120))


def brightness(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"), dtype=float)


def peaked(cell: int, cells: int) -> torch.Tensor:
    weights = torch.full((cells,), 0.1 / cells)
    weights[cell] += 0.9
    return weights


@pytest.mark.parametrize(("cell", "corner"), [(0, (0, 0)), (3, (0, 1)), (8, (1, 0)), (11, (1, 1))])
def test_a_peak_at_a_corner_box_is_the_brightest_corner(cell, corner):
    light = brightness(overlay(GREY, peaked(cell, 12), grid_boxes(3, 4, WHOLE)[0], side=120))
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert (row >= light.shape[0] / 2, column >= light.shape[1] / 2) == corner
    assert light.max() > 2 * light.min()


def test_equal_weights_light_the_photo_evenly():
    light = heat(torch.full((35,), 1 / 35), grid_boxes(5, 7, WHOLE)[0], (90, 60))
    assert light.shape == (64, 96)
    assert light.min() > 0.999


def test_a_peak_is_at_the_middle_of_its_box():
    light = heat(peaked(8, 15), grid_boxes(3, 5, WHOLE)[0], (100, 60)).numpy()
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert row / light.shape[0] == pytest.approx(1.5 / 3, abs=0.03)
    assert column / light.shape[1] == pytest.approx(3.5 / 5, abs=0.03)


def test_what_a_centre_crop_cut_off_stays_dark():
    boxes = grid_boxes(4, 4, torch.tensor([[0.25, 0.0, 0.75, 1.0]]))[0]
    light = heat(torch.full((16,), 1 / 16), boxes, (120, 60))
    assert light[:, 48].min() > 0.9
    assert max(light[:, :12].max(), light[:, -12:].max()) < 0.02


def test_regions_may_overlap_and_be_of_any_size():
    light = heat(torch.tensor([0.5, 0.5]), torch.tensor([[0.1, 0.1, 0.5, 0.9], [0.3, 0.4, 0.9, 0.6]]), (80, 80))
    assert light[48, 38] > 0.99  # where both lie
    assert light[90, 90] < 0.05


def test_where_nobody_looks_the_photo_turns_dark_and_grey():
    red = Image.new("RGB", (64, 64), (200, 40, 40))
    pixels = np.asarray(overlay(red, peaked(0, 64), grid_boxes(8, 8, WHOLE)[0], side=64)).astype(int)
    assert np.ptp(pixels[60, 60]) < 20
    assert pixels[60, 60].max() < 80
    assert pixels[3, 3, 0] > 180
    assert pixels[3, 3, 0] - pixels[3, 3, 2] > 100


@pytest.mark.parametrize("size", [(640, 160), (160, 640), (20, 20), (900, 2)])
def test_pictures_keep_the_photos_proportions(size):
    small = thumbnail(Image.new("L", size), 96)
    assert max(small.size) == 96
    assert min(small.size) == max(1, round(96 * min(size) / max(size)))
    assert overlay(Image.new("L", size), peaked(1, 4), grid_boxes(2, 2, WHOLE)[0], side=96).size == small.size
