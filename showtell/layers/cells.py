"""Recurrent cells, written from their equations: a word and a state give the next state.

There are two families. `RNNsimpleCell`, `GRUCell` and `LSTMCell` have the names, shapes and initial weights of the Oslo
course (IN5400): each gate has one weight (input + H, H) for the concatenation [x, h], and a bias (1, H). This GRU
applies the reset gate before the product, `tanh([x, r h] W + b)`, as Cho et al. do (arXiv:1406.1078); torch's GRU
applies it after the product. `lstm` and `gru` are single steps of torch's cells, for decoders that add up the gates
from several inputs.

Unusual, for speed: the words' term of the gates is one product for all words; only the state's term needs a loop.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


def lstm(
    gates: Float[Tensor, "*B G"], memory: Float[Tensor, "*B H"]
) -> tuple[Float[Tensor, "*B H"], Float[Tensor, "*B H"]]:
    """Gates before their sigmoids (.. 4H: input, forget, candidate, output) and memory -> hidden, memory, as in torch.

    Hochreiter and Schmidhuber, Neural Computation 1997.
    """
    enter, forget, candidate, leave = gates.chunk(4, dim=-1)
    memory = forget.sigmoid() * memory + enter.sigmoid() * candidate.tanh()
    return leave.sigmoid() * memory.tanh(), memory


def gru(
    gates: Float[Tensor, "*B G"], own: Float[Tensor, "*B G"], hidden: Float[Tensor, "*B H"]
) -> Float[Tensor, "*B H"]:
    """The input's and the state's terms of the gates (.. 3H: reset, update, candidate) -> hidden, as in torch."""
    (reset, update, candidate), (own_reset, own_update, own_candidate) = gates.chunk(3, -1), own.chunk(3, -1)
    update = (update + own_update).sigmoid()
    candidate = (candidate + (reset + own_reset).sigmoid() * own_candidate).tanh()
    return update * hidden + (1 - update) * candidate


class Cell(nn.Module, ABC):
    """`forward(x (M input), state (M parts*H)) -> state`; the first H numbers of a state are the hidden state."""

    parts = 1  # how many vectors of length H a state holds: 2 for an LSTM (hidden, memory)

    def __init__(self, hidden_state_size: int, input_size: int) -> None:
        super().__init__()
        self.hidden_state_size, self.input_size = hidden_state_size, input_size

    def _gate(self) -> tuple[nn.Parameter, nn.Parameter]:
        """A new gate: a weight of variance 1 / (input + H) for [x, h], and a bias of zero."""
        height = self.input_size + self.hidden_state_size
        weight = torch.randn(height, self.hidden_state_size) / height**0.5
        return nn.Parameter(weight), nn.Parameter(torch.zeros(1, self.hidden_state_size))

    @abstractmethod
    def weights(self) -> tuple[Tensor, Tensor]:
        """The weights and biases of all gates, concatenated: (input + H, gates*H) and (1, gates*H)."""

    cuts: tuple[int, ...] = ()  # gates per product: (2, 1) multiplies two gates together, the third alone; () is all

    @abstractmethod
    def step(self, gates: Tensor, state: Tensor, weight: Sequence[Tensor]) -> Tensor:
        """The words' term of the gates (M gates*H), the state, the state's weights as `cuts` has them -> next state."""

    def forward(self, x: Tensor, hidden_state: Tensor) -> Tensor:
        return self.run(x[:, None], hidden_state)[:, 0]

    def run(self, x: Tensor, state: Tensor) -> Tensor:
        """Read words (M S input) one after the other -> the state after each word (M S parts*H)."""
        weight, bias = self.weights()
        gates = x @ weight[: self.input_size] + bias
        own = weight[self.input_size :]
        # Split once, not in every step: the gradient of a slice is as large as the whole weight.
        pieces = own.split([count * self.hidden_state_size for count in self.cuts], dim=1) if self.cuts else (own,)
        states = []
        for step in gates.unbind(1):
            state = self.step(step, state, pieces)
            states.append(state)
        return torch.stack(states, dim=1)


class RNNsimpleCell(Cell):
    """h' = tanh([x, h] W + b)."""

    def __init__(self, hidden_state_size: int, input_size: int) -> None:
        super().__init__(hidden_state_size, input_size)
        self.weight, self.bias = self._gate()

    def weights(self) -> tuple[Tensor, Tensor]:
        return self.weight, self.bias

    def step(self, gates: Tensor, state: Tensor, weight: Sequence[Tensor]) -> Tensor:
        return (gates + state @ weight[0]).tanh()


class GRUCell(Cell):
    """u, r = sigmoid([x, h] W + b); n = tanh([x, r h] W + b); h' = u h + (1 - u) n."""

    cuts = (2, 1)

    def __init__(self, hidden_state_size: int, input_size: int) -> None:
        super().__init__(hidden_state_size, input_size)
        self.weight_u, self.bias_u = self._gate()
        self.weight_r, self.bias_r = self._gate()
        self.weight, self.bias = self._gate()

    def weights(self) -> tuple[Tensor, Tensor]:
        weights, biases = (self.weight_u, self.weight_r, self.weight), (self.bias_u, self.bias_r, self.bias)
        return torch.cat(weights, dim=1), torch.cat(biases, dim=1)

    def step(self, gates: Tensor, state: Tensor, weight: Sequence[Tensor]) -> Tensor:
        size = self.hidden_state_size
        gated, fresh = gates.split([2 * size, size], dim=-1)
        update, reset = (gated + state @ weight[0]).sigmoid().chunk(2, dim=-1)
        candidate = (fresh + (reset * state) @ weight[1]).tanh()
        return update * state + (1 - update) * candidate


class LSTMCell(Cell):
    """f, i, o = sigmoid([x, h] W + b); c' = f c + i tanh([x, h] W + b); h' = o tanh(c'); the state is (h, c)."""

    parts = 2

    def __init__(self, hidden_state_size: int, input_size: int) -> None:
        super().__init__(hidden_state_size, input_size)
        self.weight_f, self.bias_f = self._gate()
        self.weight_i, self.bias_i = self._gate()
        self.weight_o, self.bias_o = self._gate()
        self.weight, self.bias = self._gate()

    def weights(self) -> tuple[Tensor, Tensor]:
        weights = (self.weight_i, self.weight_f, self.weight, self.weight_o)  # in the order of `lstm`
        return torch.cat(weights, dim=1), torch.cat((self.bias_i, self.bias_f, self.bias, self.bias_o), dim=1)

    def step(self, gates: Tensor, state: Tensor, weight: Sequence[Tensor]) -> Tensor:
        hidden, memory = state.chunk(2, dim=-1)
        return torch.cat(lstm(gates + hidden @ weight[0], memory), dim=-1)


class Stack(nn.Module):
    """Several layers of one kind of cell, with the call of torch's `nn.LSTM(batch_first=True)`."""

    cell: type[Cell]

    def __init__(
        self, input_size: int, hidden_size: int, *, num_layers: int, dropout: float, batch_first: bool
    ) -> None:
        super().__init__()
        assert batch_first
        widths = [input_size] + [hidden_size] * (num_layers - 1)
        self.cells = nn.ModuleList(self.cell(hidden_size, width) for width in widths)
        self.dropout, self.size = nn.Dropout(dropout), hidden_size

    def forward(self, x: Tensor, state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, Tensor | tuple[Tensor, ...]]:
        """Words (M S input), a state (layers M H) or a pair -> the last layer's hidden states, the new state."""
        before = torch.cat(state, dim=-1) if isinstance(state, tuple) else state
        after = []
        for layer, (cell, own) in enumerate(zip(self.cells, before.to(x.dtype), strict=True)):
            assert isinstance(cell, Cell)
            states = cell.run(self.dropout(x) if layer else x, own)
            after.append(states[:, -1])
            x = states[..., : self.size]
        grown = torch.stack(after)
        return x, grown.chunk(2, dim=-1) if isinstance(state, tuple) else grown


class RNN(Stack):
    cell = RNNsimpleCell


class GRU(Stack):
    cell = GRUCell


class LSTM(Stack):
    cell = LSTMCell
