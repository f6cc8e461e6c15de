"""The networks of tasks 1 to 3 by the course's names. They run under the course's own utils/ and start script.

The cells are Showtell's (`showtell/layers/cells.py`), written from the course's equations.
"""

import torch
from torch import nn
from torch.nn import functional as F

from showtell.layers.cells import GRUCell, LSTMCell, RNNsimpleCell

__all__ = ["RNN", "GRUCell", "ImageCaptionModel", "LSTMCell", "RNNOneLayerSimplified", "RNNsimpleCell", "loss_fn"]
CELLS = {"RNN": RNNsimpleCell, "GRU": GRUCell, "LSTM": LSTMCell}
NN_MAP_SIZE, LONGEST = 512, 40  # numbers that an image becomes; words that are generated


class ImageCaptionModel(nn.Module):
    """Features (B F) and tokens (B T) -> logits (B T V) and state (layers B H), or (layers B 2H) for LSTM cells."""

    def __init__(self, config):
        super().__init__()
        self.vocabulary_size, self.embedding_size = config["vocabulary_size"], config["embedding_size"]
        self.hidden_state_sizes, self.num_rnn_layers = config["hidden_state_sizes"], config["num_rnn_layers"]
        self.cell_type, self.nn_map_size = config["cellType"], NN_MAP_SIZE
        self.embedding_layer = nn.Embedding(self.vocabulary_size, self.embedding_size)
        self.output_layer = nn.Linear(self.hidden_state_sizes, self.vocabulary_size)
        linear = nn.Linear(config["number_of_cnn_features"], self.nn_map_size)
        self.input_layer = nn.Sequential(nn.Dropout(0.25), linear, nn.LeakyReLU())
        simple = self.cell_type == "RNN" and self.num_rnn_layers == 1
        self.simplified_rnn = config.get("simplified_rnn", simple)
        if self.simplified_rnn and not simple:
            raise ValueError("the simplified RNN takes cellType 'RNN' and num_rnn_layers 1")
        width = self.embedding_size + self.nn_map_size
        if self.simplified_rnn:
            self.rnn = RNNOneLayerSimplified(width, self.hidden_state_sizes)
        else:
            self.rnn = RNN(width, self.hidden_state_sizes, self.num_rnn_layers, self.cell_type)

    def forward(self, cnn_features, x_tokens, is_train, current_hidden_state=None):
        seen = self.input_layer(cnn_features)
        if current_hidden_state is None:
            parts = CELLS[self.cell_type].parts
            current_hidden_state = seen.new_zeros(self.num_rnn_layers, len(seen), parts * self.hidden_state_sizes)
        return self.rnn(x_tokens, seen, current_hidden_state, self.output_layer, self.embedding_layer, is_train)


class RNN(nn.Module):
    """Layers of one kind of cell. The image is put beside the word at every step."""

    def __init__(self, input_size, hidden_state_size, num_rnn_layers, cell_type="GRU"):
        super().__init__()
        self.input_size, self.hidden_state_size = input_size, hidden_state_size
        self.num_rnn_layers, self.cell_type = num_rnn_layers, cell_type
        widths = [input_size] + [hidden_state_size] * (num_rnn_layers - 1)
        self.cells = nn.ModuleList(CELLS[cell_type](hidden_state_size, width) for width in widths)

    def forward(
        self, tokens, processed_cnn_features, initial_hidden_state, output_layer, embedding_layer, is_train=True
    ):
        words, state, logits = embedding_layer(tokens), initial_hidden_state, []
        word = words[:, 0]
        length = tokens.shape[1] if is_train else LONGEST
        for step in range(length):
            x, after = torch.cat([word, processed_cnn_features], dim=1), []
            for cell, before in zip(self.cells, state, strict=True):
                after.append(cell(x, before))
                x = after[-1][:, : self.hidden_state_size]
            state = torch.stack(after)
            logits.append(output_layer(x))
            if step < length - 1:
                word = words[:, step + 1] if is_train else embedding_layer(logits[-1].argmax(dim=1))
        return torch.stack(logits, dim=1), state


class RNNOneLayerSimplified(RNN):
    """One layer of vanilla cells (task 1)."""

    def __init__(self, input_size, hidden_state_size):
        super().__init__(input_size, hidden_state_size, 1, "RNN")


def loss_fn(logits, y_tokens, y_weights):
    """Cross-entropy of each word times its weight (0 for padding): the sum, and the mean over the weights."""
    losses = F.cross_entropy(logits.transpose(1, 2), y_tokens, reduction="none")
    total = (losses * y_weights).sum()
    return total, total / (y_weights.sum() + 1e-7)
