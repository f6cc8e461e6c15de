"""Words that may not come next, in every strategy: forbidden ids and phrases, eos too early, repeated n-grams."""

from collections.abc import Sequence

import torch
from torch import Tensor

from showtell.decode.options import check_begin
from showtell.tokenizers.captions import Special


class Limits:
    """Lengths mean what they mean in transformers' GenerationConfig.

    max_length counts bos, the prompt, words and eos. eos may come after bos, prompt and words are min_length tokens:
    with min_length 4 and no prompt, after three words. No caption contains a `banned` sequence of ids; one that starts
    with bos is banned only at the start of a caption. Banned ids and repeated n-grams are not looked for in the prompt.
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
        self.special, self.start = special, len(special.begin)  # start: how many tokens precede the first word
        single = {ids[0] for ids in banned if len(ids) == 1}
        self.suppress = torch.tensor([*special.suppress, *sorted(single)], dtype=torch.long, device=device)
        self.phrases = [torch.tensor(ids, device=device) for ids in _by_length(banned)]
        self.max_length = max_length
        self.min_length = min_length
        self.ngram = no_repeat_ngram_size

    def blank(self, images: int, captions: int) -> Tensor:
        """New captions (B K max_length): bos and the prompt, then only padding."""
        shape = (images, captions, self.max_length)
        tokens = torch.full(shape, self.special.pad, device=self.suppress.device)
        tokens[..., : self.start] = torch.tensor(self.special.begin, device=tokens.device)
        return tokens

    def next_words(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Log probabilities (B K V) of the word after tokens (B K L); forbidden words have -inf.

        The others keep the model's log probabilities and are not renormalised: if words of .6 and .3 are left, they
        stay .6 and .3. If everything is forbidden, eos is allowed.
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
        if forbidden >= log_probs.shape[-1]:  # for speed: with fewer, at least one word is always left
            stuck = (log_probs == -torch.inf).all(dim=-1)
            log_probs[..., eos] = torch.where(stuck, ending, log_probs[..., eos])
        return log_probs


def without_prompt(tokens: Tensor, start: int) -> Tensor:
    """`bos prompt.. w1 .. wn` (.. L), with `start` tokens before w1 -> `bos w1 .. wn`."""
    return tokens if start == 1 else torch.cat([tokens[..., :1], tokens[..., start:]], dim=-1)


def forbid_repeats(log_probs: Tensor, words: Tensor, size: int) -> None:
    """Set log_probs (B K V) to -inf for words that would repeat an n-gram of words (B K L).

    After `a b c a b`, size 3 forbids `c`, because `a b c` is there already. Pass words without bos: GPT-2 has one id
    for bos and eos, and size 1 would forbid eos.
    """
    if words.shape[-1] < size:
        return
    ngrams = words.unfold(-1, size, 1)  # B K L -> B K L-size+1 size
    begin = words[..., None, words.shape[-1] - size + 1 :]
    repeats = (ngrams[..., :-1] == begin).all(dim=-1)
    # Add, do not write: a word can follow several n-grams, and a later 0 must not overwrite an earlier -inf.
    penalty = torch.zeros_like(repeats, dtype=log_probs.dtype).masked_fill_(repeats, -torch.inf)
    log_probs.scatter_add_(-1, ngrams[..., -1], penalty)


def forbid_ends(log_probs: Tensor, tokens: Tensor, phrases: Tensor) -> None:
    """Set log_probs (B K V) to -inf for the last id of each phrase (P n) if tokens (B K L) end with its other ids."""
    begin = phrases.shape[1] - 1
    if tokens.shape[-1] >= begin:
        begun = (tokens[..., None, tokens.shape[-1] - begin :] == phrases[:, :-1]).all(dim=-1)  # B K P
        penalty = torch.zeros_like(begun, dtype=log_probs.dtype).masked_fill_(begun, -torch.inf)
        log_probs.scatter_add_(-1, phrases[:, -1].expand_as(begun), penalty)


def _by_length(banned: Sequence[Sequence[int]]) -> list[list[tuple[int, ...]]]:
    """Group the banned sequences of two or more ids by length, without repetitions."""
    lengths: dict[int, list[tuple[int, ...]]] = {}
    for ids in dict.fromkeys(map(tuple, banned)):
        if len(ids) > 1:
            lengths.setdefault(len(ids), []).append(ids)
    return list(lengths.values())
