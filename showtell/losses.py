"""Captions -> a number to make smaller. The only place that shifts words against predictions, and that knows -100."""

from torch import Tensor
from torch.nn.functional import cross_entropy as torch_cross_entropy

from showtell.decoders.decoder import Decoder
from showtell.features import Features
from showtell.tokenizers.captions import Captions

IGNORE = -100


def cross_entropy(
    decoder: Decoder, features: Features, captions: Captions, label_smoothing: float = 0.0
) -> tuple[Tensor, int]:
    """The summed loss of the next real word, teacher-forced, and the number of words it sums over.

    >>> # bos a dog eos pad  ->  reads: bos a dog eos, predicts: a dog eos (pad is ignored)
    """
    memory, state = decoder.start(features)
    state = decoder.widen(state, captions.tokens.shape[1])
    logits = decoder(memory, state, captions.tokens[..., :-1]).logits
    real = captions.mask[..., 1:]
    targets = captions.tokens[..., 1:].masked_fill(~real, IGNORE)
    loss = torch_cross_entropy(
        logits.flatten(0, 2).float(),
        targets.flatten(),
        ignore_index=IGNORE,
        label_smoothing=label_smoothing,
        reduction="sum",
    )
    return loss, int(real.sum())
