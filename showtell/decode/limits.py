"""What may not come next, the same for every strategy: forbidden ids and phrases, an early end, repeated n-grams."""

from collections.abc import Sequence

import torch
from torch import Tensor

from showtell.decode.options import check_begin
from showtell.tokenizers.captions import Special


class Limits:
    """Lengths have the meaning of transformers' GenerationConfig.

    max_length counts bos, a prompt, words and eos; eos may come once bos, prompt and words are at least min_length. No
    caption holds a sequence of ids that is `banned`; one with bos in front is banned where a caption begins. Neither
    these nor repeated n-grams look at the prompt.
    """

    def __init__(
        self,
        special: Special,
        device: torch.device,
        *,
        max_length: int,
        min_length: int,
        no_repeat_ngram_size: int,
        banned: Sequence[Sequence[int]] = (),
    ) -> None:
        check_begin(len(special.begin), max_length)
        self.special, self.start = special, len(special.begin)  # how many tokens stand before the first word
        single = {ids[0] for ids in banned if len(ids) == 1}
        self.suppress = torch.tensor([*special.suppress, *sorted(single)], dtype=torch.long, device=device)
        self.phrases = [torch.tensor(ids, device=device) for ids in _by_length(banned)]
        self.max_length = max_length
        self.min_length = min_length
        self.ngram = no_repeat_ngram_size

    def blank(self, images: int, captions: int) -> Tensor:
        """Captions (B K max_length) that hold what all begin with, and nothing else yet."""
        shape = (images, captions, self.max_length)
        tokens = torch.full(shape, self.special.pad, device=self.suppress.device)
        tokens[..., : self.start] = torch.tensor(self.special.begin, device=tokens.device)
        return tokens

    def next_words(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """The model's log probabilities (B K V) of the word after tokens (B K L), -inf where it may not come.

        What is left is not renormalised: a caption's log probability is the model's own, whatever the limits.
        """
        log_probs = torch.log_softmax(logits[:, :, -1], dim=-1, dtype=torch.float32)  # B K S V -> B K V
        length, eos = tokens.shape[-1], self.special.eos
        ending = log_probs[..., eos].clone()
        log_probs.index_fill_(-1, self.suppress, -torch.inf)
        if length < self.min_length:
            log_probs[..., eos] = -torch.inf
        tokens = without_prompt(tokens, self.start)
        if 0 < self.ngram < tokens.shape[-1]:
            forbid_repeats(log_probs, tokens[..., 1:], self.ngram)
        for phrase in self.phrases:
            forbid_ends(log_probs, tokens, phrase)
        forbidden = len(self.suppress) + sum(map(len, self.phrases)) + length
        if forbidden >= log_probs.shape[-1]:  # else something is always left
            speechless = (log_probs == -torch.inf).all(dim=-1)
            log_probs[..., eos] = torch.where(speechless, ending, log_probs[..., eos])
        return log_probs


def without_prompt(tokens: Tensor, start: int) -> Tensor:
    """`bos prompt.. w1 .. wn` (.. L), of which `start` tokens stand before w1 -> `bos w1 .. wn`."""
    return tokens if start == 1 else torch.cat([tokens[..., :1], tokens[..., start:]], dim=-1)


def forbid_repeats(log_probs: Tensor, words: Tensor, size: int) -> None:
    """Forbid in place, in log_probs (B K V), what would repeat an n-gram of words (B K L).

    The words come without bos: where bos and eos are one id, single words that may not repeat must not forbid eos.

    After `a b c a b`, size 3 forbids `c`: the last two words, `a b`, were followed by it before.
    """
    if words.shape[-1] < size:
        return
    ngrams = words.unfold(-1, size, 1)  # B K L -> B K L-size+1 size
    begin = words[..., None, words.shape[-1] - size + 1 :]
    repeats = (ngrams[..., :-1] == begin).all(dim=-1)
    # Adding, not writing: a word can follow two n-grams, of which only one is the caption's last.
    penalty = torch.zeros_like(repeats, dtype=log_probs.dtype).masked_fill_(repeats, -torch.inf)
    log_probs.scatter_add_(-1, ngrams[..., -1], penalty)


def forbid_ends(log_probs: Tensor, tokens: Tensor, phrases: Tensor) -> None:
    """Forbid in place, in log_probs (B K V), the last id of phrases (P n) where tokens (B K L) end with the others."""
    begin = phrases.shape[1] - 1
    if tokens.shape[-1] >= begin:
        begun = (tokens[..., None, tokens.shape[-1] - begin :] == phrases[:, :-1]).all(dim=-1)  # B K P
        penalty = torch.zeros_like(begun, dtype=log_probs.dtype).masked_fill_(begun, -torch.inf)
        log_probs.scatter_add_(-1, phrases[:, -1].expand_as(begun), penalty)


def _by_length(banned: Sequence[Sequence[int]]) -> list[list[tuple[int, ...]]]:
    """Those of several ids, once each, with others of as many."""
    lengths: dict[int, list[tuple[int, ...]]] = {}
    for ids in dict.fromkeys(map(tuple, banned)):
        if len(ids) > 1:
            lengths.setdefault(len(ids), []).append(ids)
    return list(lengths.values())
