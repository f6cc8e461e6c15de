"""Features: choosing images, and where the cells of a grid lie in the original."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from showtell.features import Features, each, first, grid_boxes, select, to

WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


def test_cells_are_numbered_row_by_row_from_the_top_left():
    assert grid_boxes(2, 2, WHOLE)[0].tolist() == [
        [0.0, 0.0, 0.5, 0.5],
        [0.5, 0.0, 1.0, 0.5],
        [0.0, 0.5, 0.5, 1.0],
        [0.5, 0.5, 1.0, 1.0],
    ]


def test_a_crop_shows_in_the_boxes_of_its_own_image():
    view = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.25, 0.0, 0.75, 1.0]])
    boxes = grid_boxes(1, 2, view)
    assert boxes[0].tolist() == [[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]]
    assert boxes[1].tolist() == [[0.25, 0.0, 0.5, 1.0], [0.5, 0.0, 0.75, 1.0]]


@given(st.integers(1, 5), st.integers(1, 7), st.lists(st.floats(0, 1), min_size=4, max_size=4))
@settings(deadline=None)
def test_cells_are_equal_and_fill_the_view(rows, columns, edges):
    left, right, top, bottom = *sorted(edges[:2]), *sorted(edges[2:])
    boxes = grid_boxes(rows, columns, torch.tensor([[left, top, right, bottom]]))[0]
    assert boxes.shape == (rows * columns, 4)
    size = torch.tensor([(right - left) / columns, (bottom - top) / rows])
    assert_close(boxes[:, 2:] - boxes[:, :2], size.expand(rows * columns, 2), rtol=0, atol=1e-5)
    assert_close(boxes[0, :2], torch.tensor([left, top]))
    assert_close(boxes[-1, 2:], torch.tensor([right, bottom]))


def test_select_takes_all_parts_of_the_same_images():
    parts = [torch.arange(3.0).reshape(3, *[1] * rank).expand(3, *[2] * rank) for rank in (2, 1, 1, 2)]
    features = Features(parts[0], parts[1] > 1, parts[2], parts[3].repeat(1, 1, 2))
    chosen = features.select(torch.tensor([2, 0]))
    assert [part.flatten(1)[:, 0].tolist() for part in chosen] == [[2.0, 0.0], [True, False], [2.0, 0.0], [2.0, 0.0]]


def test_of_several_features_each_is_selected_and_moved():
    one, other = (
        Features(torch.rand(3, n, d), torch.ones(3, n).bool(), torch.rand(3, d), torch.rand(3, n, 4))
        for n, d in ((5, 6), (2, 7))
    )
    assert each(one) == (one,) and first(one) is one and each((one, other)) == (one, other)
    assert first((one, other)) is one
    images = torch.tensor([2, 0])
    for seen in (one, (one, other)):
        chosen = select(seen, images)
        assert isinstance(chosen, Features) == isinstance(seen, Features)
        for mine, theirs in zip(each(chosen), each(seen), strict=True):
            assert all(torch.equal(part, whole[images]) for part, whole in zip(mine, theirs, strict=True))
        moved = to(seen, torch.device("meta"))
        assert isinstance(moved, Features) == isinstance(seen, Features)
        assert all(part.device.type == "meta" for features in each(moved) for part in features)
