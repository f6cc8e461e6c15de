"""`--shard i/n`: the i-th of n processes, counted from 0, as Slurm counts `--array=0-99`. It makes every n-th part."""

import re
from typing import NamedTuple

from showtell.plumbing.errors import InputError


class Shard(NamedTuple):
    """
    >>> [part for part in range(10) if Shard(1, 4).has(part)]
    [1, 5, 9]
    """

    number: int
    of: int

    def has(self, part: int) -> bool:
        return part % self.of == self.number

    @property
    def lock(self) -> str:
        return f".shard-{self.number}-of-{self.of}.lock"

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def read_shard(text: str) -> Shard:
    """`3/100`: the fourth of a hundred. Raises InputError."""
    takes = "i/n with i from 0 to n-1, for example 0/4, or $SLURM_ARRAY_TASK_ID/100 with --array=0-99"
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None:
        raise InputError(key="--shard", value=text, takes=takes)
    shard = Shard(int(match[1]), int(match[2]))
    if shard.number >= shard.of:
        raise InputError(key="--shard", value=text, takes=takes, advice="the first shard is 0")
    return shard
