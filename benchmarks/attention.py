"""A training step of `attend` at the Lyon course's sizes against the loop as it is commonly written: equal losses.

The peer copies an image's map to each of its captions, and at every word maps all of it to the attention's width anew.
The second peer maps it once a caption, as careful code does. 80 captions of 16 images, 14 x 14 x 2048 maps, 512 wide.
"""

import torch
from torch import Tensor, nn

from benchmarks.timing import Ratio, compare
from showtell.decoders import Attend
from showtell.features import Features
from showtell.losses.cross_entropy import cross_entropy
from showtell.tokenizers.captions import Captions

CAPTIONS, CLOSE = 5, 1e-5


def run(quick: bool = False) -> list[Ratio]:
    images, cells, channels, dim, words, vocabulary, repeats = (
        (2, 9, 16, 8, 4, 30, 1) if quick else (16, 196, 2048, 512, 11, 2500, 3)
    )
    torch.manual_seed(0)
    decoder = Attend(channels, vocabulary, embedding_dim=dim, dim=dim, attention_dim=dim, dropout=0.0)
    tokens = torch.randn(images, cells, channels)
    everything = torch.ones(images, cells, dtype=torch.bool)
    features = Features(tokens, everything, tokens.mean(1), torch.rand(images, cells, 4))
    written = torch.randint(vocabulary, (images, CAPTIONS, words + 2))
    captions = Captions(written, torch.ones_like(written, dtype=torch.bool))
    peers = {"every word": lambda: _plain(decoder, features, captions, True)}
    peers["every caption"] = lambda: _plain(decoder, features, captions, False)

    def ours() -> Tensor:
        return cross_entropy(decoder, features, captions)[0]

    targets = {"every word": 2.0, "every caption": None}
    ratios = []
    for name, peer in peers.items():
        difference = abs(float(peer().detach() / ours().detach()) - 1)
        assert difference < CLOSE, f"losses differ by {difference:.1e}"
        note = f"{images * CAPTIONS} captions of {words} words; losses differ by {difference:.0e}"
        title = f"attend: a step that maps the image at {name} / ours"
        ratios.append(
            compare(
                title,
                lambda: _step(decoder, ours()),
                lambda peer=peer: _step(decoder, peer()),
                repeats,
                targets[name],
                note,
            )
        )
    return ratios


def _step(decoder: nn.Module, loss: Tensor) -> None:
    decoder.zero_grad(set_to_none=True)
    loss.backward()


def _plain(decoder: Attend, features: Features, captions: Captions, every_word: bool) -> Tensor:
    """The summed loss, word by word, with each caption's own copy of its image's map."""
    words = captions.tokens.flatten(0, 1)
    seen = features.tokens.repeat_interleave(captions.tokens.shape[1], dim=0)
    hidden, memory = decoder.first(seen.mean(1)).chunk(2, dim=1)
    weight = torch.cat([decoder.from_word.weight, decoder.from_image.weight], dim=1)
    cell = (weight, decoder.from_state.weight, decoder.from_word.bias, decoder.from_state.bias)
    keys = None if every_word else decoder.key(seen)
    loss = torch.zeros(())
    for place in range(words.shape[1] - 1):
        mapped = decoder.key(seen) if keys is None else keys
        scores = decoder.score(torch.relu(mapped + decoder.query(hidden)[:, None]))[..., 0]
        context = (seen * scores.softmax(1)[..., None]).sum(1)
        x = torch.cat([decoder.words(words[:, place]), decoder.gate(hidden).sigmoid() * context], dim=1)
        hidden, memory = torch.lstm_cell(x, (hidden, memory), *cell)
        loss = loss + nn.functional.cross_entropy(decoder.output(hidden), words[:, place + 1], reduction="sum")
    return loss
