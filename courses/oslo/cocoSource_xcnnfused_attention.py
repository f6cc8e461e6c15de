"""The network of task 4: attention over ten boxes. It runs under the course's own utils/ and start script too."""

import torch
from cocoSource_xcnnfused import LONGEST, NN_MAP_SIZE, loss_fn
from torch import nn

from showtell.layers.cells import LSTMCell

__all__ = ["AttentionRNN", "ImageCaptionModel", "loss_fn"]
BOXES, ATTENTION = 10, 50


class ImageCaptionModel(nn.Module):
    """Features (B 10 F) and tokens (B T) -> logits (B T V) and state (2 B 2H)."""

    def __init__(self, config):
        super().__init__()
        self.hidden_state_sizes, size = config["hidden_state_sizes"], config["vocabulary_size"]
        self.embedding_layer = nn.Embedding(size, config["embedding_size"])
        self.output_layer = nn.Linear(self.hidden_state_sizes, size)
        convolution = nn.Conv1d(config["number_of_cnn_features"], NN_MAP_SIZE, 1)
        self.input_layer = nn.Sequential(nn.Dropout(0.25), convolution, nn.BatchNorm1d(NN_MAP_SIZE), nn.LeakyReLU())
        self.rnn = AttentionRNN(config["embedding_size"] + NN_MAP_SIZE, self.hidden_state_sizes)

    def forward(self, cnn_features, x_tokens, is_train, current_hidden_state=None):
        boxes = self.input_layer(cnn_features.transpose(1, 2)).transpose(1, 2)  # B 10 512
        if current_hidden_state is None:
            current_hidden_state = boxes.new_zeros(2, len(boxes), 2 * self.hidden_state_sizes)
        return self.rnn(x_tokens, boxes, current_hidden_state, self.output_layer, self.embedding_layer, is_train)


class AttentionRNN(nn.Module):
    """The first cell sees the word and the boxes' maximum; its state weighs the boxes for the second."""

    def __init__(self, input_size, hidden_state_size):
        super().__init__()
        self.hidden_state_size = hidden_state_size
        second = LSTMCell(hidden_state_size, hidden_state_size + NN_MAP_SIZE)
        self.cells = nn.ModuleList([LSTMCell(hidden_state_size, input_size), second])
        maps = (nn.Linear(2 * hidden_state_size, ATTENTION), nn.LeakyReLU(), nn.Linear(ATTENTION, BOXES))
        self.attention = nn.Sequential(nn.Dropout(0.25), *maps, nn.Softmax(dim=1))

    def forward(
        self, tokens, processed_cnn_features, initial_hidden_state, output_layer, embedding_layer, is_train=True
    ):
        words, (first, second), logits = embedding_layer(tokens), initial_hidden_state, []
        word, largest = words[:, 0], processed_cnn_features.amax(dim=1)
        length, size = tokens.shape[1] if is_train else LONGEST, self.hidden_state_size
        for step in range(length):
            first = self.cells[0](torch.cat([word, largest], dim=1), first)
            seen = (self.attention(first)[..., None] * processed_cnn_features).sum(dim=1)
            second = self.cells[1](torch.cat([first[:, :size], seen], dim=1), second)
            logits.append(output_layer(second[:, :size]))
            if step < length - 1:
                word = words[:, step + 1] if is_train else embedding_layer(logits[-1].argmax(dim=1))
        return torch.stack(logits, dim=1), torch.stack([first, second])
