"""Several decoders as one: every next word comes from the mean of their probabilities, with any decoding strategy."""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.decoders.prefixed import own, prefixed
from showtell.features import Seen, each


class MeanDecoder(Decoder):
    """Its logits are the logarithm of the members' mean probabilities: log(.4) for .6 and .2.

    `sees[i]` says which of several features member i reads. Keys of memory and state begin with the member's number:
    `hidden` of member 1 is `1.hidden`.
    """

    def __init__(self, members: Sequence[Decoder], sees: Sequence[int]) -> None:
        super().__init__()
        self.members, self.sees = nn.ModuleList(members), tuple(sees)
        self.reads_boxes = any(member.reads_boxes for member in members)
        self.attends = any(m.attends for m, part in zip(members, self.sees, strict=True) if part == self.sees[0])
        limits = [member.max_length for member in members if member.max_length is not None]
        self.max_length = min(limits, default=None)

    @property
    def reads_tokens(self) -> bool:
        return any(member.reads_tokens for member in self.parts)

    @property
    def parts(self) -> list[Decoder]:
        return [member for member in self.members if isinstance(member, Decoder)]

    @property
    def decoders(self) -> Iterator[tuple[int, Decoder, int]]:
        """Triples: (the member's number, the member, the number of the features that it reads)."""
        for number, (member, part) in enumerate(zip(self.parts, self.sees, strict=True)):
            yield number, member, part

    def start(self, features: Seen) -> tuple[Memory, State]:
        parts = each(features)
        memory: Memory = {}
        state: State = {}
        for number, member, part in self.decoders:
            own_memory, own_state = member.start(parts[part])
            memory |= prefixed(str(number), own_memory)
            state |= prefixed(str(number), own_state)
        return memory, state

    def forward(
        self,
        memory: Memory,
        state: State,
        tokens: Int[Tensor, "B K S"],
        attention: bool = False,
        probe: Float[Tensor, "B K S H N"] | None = None,
    ) -> Output:
        """`attention` has one map per member, the mean of its heads, so H counts members.

        Only members that read the same features as the first one have a map; others see other tokens. `probe` is
        ignored: each member takes its own.
        """
        log_probs, after, maps = [], State(), list[Tensor]()
        for number, member, part in self.decoders:
            looks = attention and part == self.sees[0]
            output = member.forward(own(str(number), memory), own(str(number), state), tokens, looks)
            log_probs.append(output.logits.log_softmax(dim=-1, dtype=torch.float32))
            after |= prefixed(str(number), output.state)
            maps += [output.attention.mean(dim=3)] if output.attention is not None else []
        mean = torch.stack(log_probs).logsumexp(dim=0) - math.log(len(log_probs))
        return Output(mean, after, torch.stack(maps, dim=3) if maps else None)
