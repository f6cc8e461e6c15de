import pytest
import torch

from showtell.encoders import ConvNet
from showtell.plumbing.errors import RecipeError

VIEW = torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 5)


@pytest.mark.parametrize(("image_size", "grid_size"), [(128, 8), (64, 8), (64, 4), (28, 7), (10, 5)])
def test_the_grid_is_the_one_asked_for(image_size: int, grid_size: int) -> None:
    encoder = ConvNet(image_size=image_size, grid_size=grid_size, width=3, dim=7)
    pixels = torch.zeros(5, 3, image_size, image_size, dtype=torch.uint8)
    features = encoder(pixels, VIEW)
    assert features.tokens.shape == (5, grid_size**2, 7) and features.pooled.shape == (5, 7)


def test_a_size_without_whole_halvings_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"^image_size is 100; .*grid_size \(8\).* such as 128$"):
        ConvNet(image_size=100)
    with pytest.raises(RecipeError, match=r"^image_size is 8; .* such as 16$"):
        ConvNet(image_size=8)


@pytest.mark.slow
def test_it_learns_where_a_dot_is() -> None:
    torch.manual_seed(0)
    encoder = ConvNet(image_size=16, grid_size=4, width=4, dim=1)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.02)
    places = torch.arange(16)
    pixels = torch.zeros(16, 3, 16, 16, dtype=torch.uint8)
    for place in places:
        row, column = place // 4 * 4, place % 4 * 4
        pixels[place, :, row : row + 4, column : column + 4] = 255
    for _ in range(60):
        logits = encoder(pixels, VIEW[:1].expand(16, 4)).tokens[..., 0]
        loss = torch.nn.functional.cross_entropy(logits, places)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.equal(encoder.eval()(pixels, VIEW[:1].expand(16, 4)).tokens[..., 0].argmax(1), places)
