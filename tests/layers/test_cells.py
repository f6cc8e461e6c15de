"""Cells from their equations: the course's own values, and torch's cells on copied weights where both agree."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from showtell.layers import cells
from showtell.layers.cells import GRUCell, LSTMCell, RNNsimpleCell, gru, lstm

H, INPUT, M, T = 7, 3, 4, 5
CLOSE = {"rtol": 0, "atol": 1e-6}


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def filled(kind, weight, bias):
    cell = kind(H, INPUT)
    for name, parameter in cell.named_parameters():
        nn.init.constant_(parameter, weight if name.startswith("weight") else bias)
    return cell


def large(module):
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


@pytest.mark.parametrize(
    ("x", "h", "c", "weight", "bias", "hidden", "memory"),
    [
        (1, 7, 0, 0, 0, 0, 0),
        (2, 8, 0.1, 0, 0.5, 0.20932218, 0.3498951),
        (6, 12, 42, 0, -1.5, 0.1824, 7.4968),
        (2, 8, 0.1, 1, 0.5, 0.8005, 1.1),
    ],
)
def test_an_lstm_step_gives_the_values_of_the_oslo_course(x, h, c, weight, bias, hidden, memory):
    state = torch.cat([torch.full((M, H), float(h)), torch.full((M, H), float(c))], dim=1)
    found = filled(LSTMCell, weight, bias)(torch.full((M, INPUT), float(x)), state)
    wanted = torch.cat([torch.full((M, H), float(hidden)), torch.full((M, H), float(memory))], dim=1)
    assert_close(found, wanted, rtol=0, atol=1e-4)


def test_a_gru_with_all_gates_shut_keeps_nothing_but_the_candidate():
    cell = large(GRUCell(H, INPUT))
    for bias in (cell.bias_u, cell.bias_r):
        nn.init.constant_(bias, -1e4)
    x, state = torch.randn(M, INPUT), torch.randn(M, H)
    assert_close(cell(x, state), (x @ cell.weight[:INPUT] + cell.bias).tanh(), **CLOSE)


def test_a_gru_resets_the_state_before_the_product():
    """By hand: u = r = .5, h = 2, candidate weights of the state .25: n = tanh(.5 * 2 * .25 * 7)."""
    cell = filled(GRUCell, 0.0, 0.0)
    cell.weight[INPUT:] = 0.25
    found = cell(torch.ones(1, INPUT), torch.full((1, H), 2.0))
    assert_close(found, torch.full((1, H), 0.5 * 2 + 0.5 * torch.tensor(1.75).tanh().item()), **CLOSE)


def test_an_lstm_step_is_its_equations_in_the_courses_names():
    cell, x, h, c = large(LSTMCell(H, INPUT)), torch.randn(M, INPUT), torch.randn(M, H), torch.randn(M, H)
    both = torch.cat([x, h], dim=1)
    forget = (both @ cell.weight_f + cell.bias_f).sigmoid()
    enter = (both @ cell.weight_i + cell.bias_i).sigmoid()
    leave = (both @ cell.weight_o + cell.bias_o).sigmoid()
    memory = forget * c + enter * (both @ cell.weight + cell.bias).tanh()
    assert_close(cell(x, torch.cat([h, c], dim=1)), torch.cat([leave * memory.tanh(), memory], dim=1), **CLOSE)


def test_a_gru_step_is_its_equations_in_the_courses_names():
    cell, x, h = large(GRUCell(H, INPUT)), torch.randn(M, INPUT), torch.randn(M, H)
    both = torch.cat([x, h], dim=1)
    update = (both @ cell.weight_u + cell.bias_u).sigmoid()
    reset = (both @ cell.weight_r + cell.bias_r).sigmoid()
    candidate = (torch.cat([x, reset * h], dim=1) @ cell.weight + cell.bias).tanh()
    assert_close(cell(x, h), update * h + (1 - update) * candidate, **CLOSE)


@pytest.mark.parametrize("kind", [RNNsimpleCell, GRUCell, LSTMCell])
def test_weights_have_the_courses_names_shapes_and_deviation(kind):
    cell = kind(300, 200)
    gates = {RNNsimpleCell: [""], GRUCell: ["_u", "_r", ""], LSTMCell: ["_f", "_i", "_o", ""]}[kind]
    shapes = {name: tuple(parameter.shape) for name, parameter in cell.named_parameters()}
    assert shapes == {f"weight{g}": (500, 300) for g in gates} | {f"bias{g}": (1, 300) for g in gates}
    assert cell.weight.std().item() == pytest.approx(500**-0.5, rel=0.02)
    assert cell.bias.abs().max() == 0


def torch_weights(theirs, ours, layer=0):
    """Our gates, torch's names: (gates*H, input) and (gates*H, H), one bias."""
    weight, bias = ours.weights()
    getattr(theirs, f"weight_ih_l{layer}").copy_(weight[: ours.input_size].T)
    getattr(theirs, f"weight_hh_l{layer}").copy_(weight[ours.input_size :].T)
    getattr(theirs, f"bias_ih_l{layer}").copy_(bias[0])
    getattr(theirs, f"bias_hh_l{layer}").zero_()


@pytest.mark.parametrize(("kind", "torchs"), [(cells.RNN, nn.RNN), (cells.LSTM, nn.LSTM)])
def test_layers_of_cells_are_torchs_on_copied_weights(kind, torchs):
    sizes = {"num_layers": 3, "batch_first": True, "dropout": 0.0}
    ours, theirs = large(kind(INPUT, H, **sizes)), torchs(INPUT, H, **sizes)
    for layer, cell in enumerate(ours.cells):
        torch_weights(theirs, cell, layer)
    states = tuple(torch.randn(3, M, H) for _ in range(2))
    state = states if kind is cells.LSTM else states[0]
    x = torch.randn(M, T, INPUT)
    for found, wanted in zip(ours(x, state), theirs(x, state), strict=True):
        assert_close(found, wanted, rtol=0, atol=1e-5)


def test_layers_of_gru_cells_are_the_cells_one_after_the_other():
    ours = large(cells.GRU(INPUT, H, num_layers=2, batch_first=True, dropout=0.0))
    x, state = torch.randn(M, T, INPUT), torch.randn(2, M, H)
    first, second = state
    for step in range(T):
        first = ours.cells[0](x[:, step], first)
        second = ours.cells[1](first, second)
    hidden, after = ours(x, state)
    assert_close(hidden[:, -1], second, **CLOSE)
    assert_close(after, torch.stack([first, second]), **CLOSE)


def test_the_steps_for_gates_of_several_places_are_torchs_cells():
    x, hidden, memory = torch.randn(M, INPUT), torch.randn(M, H), torch.randn(M, H)
    theirs = nn.LSTMCell(INPUT, H)
    gates = x @ theirs.weight_ih.T + theirs.bias_ih + hidden @ theirs.weight_hh.T + theirs.bias_hh
    for found, wanted in zip(lstm(gates, memory), theirs(x, (hidden, memory)), strict=True):
        assert_close(found, wanted, **CLOSE)
    theirs = nn.GRUCell(INPUT, H)
    gates, own = x @ theirs.weight_ih.T + theirs.bias_ih, hidden @ theirs.weight_hh.T + theirs.bias_hh
    assert_close(gru(gates, own, hidden), theirs(x, hidden), **CLOSE)
