"""Children that train one captioner together, as torchrun would start them."""

import os
import signal
import socket
import sys

import torch
from rich.console import Console

from showtell.cli.words import run as run_command
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.training import loop
from tests.small import small_recipe
from tests.training.killed import FORKS, OWNERS, nth_call


def refuse():
    raise InputError("cannot be read", key="photo.jpg")


ACTS = {"dies": lambda: os.kill(os.getpid(), signal.SIGKILL), "refuses": refuse}


def member(rank, size, port, run, overrides, options, trouble):
    """In a child: process `rank` of `size`. `trouble` is (rank, act, point, nth): there the act comes first."""
    sys.stderr = (run.parent / f"{run.name}-{rank}.txt").open("w", buffering=1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    loop.LOG_EVERY = 1
    if trouble is not None and trouble[0] == rank:
        owner, name = trouble[2].split(".")
        nth_call(OWNERS[owner], name, trouble[3], ACTS[trouble[1]])
    run_command(lambda: loop.train(small_recipe(*overrides), run, console=Plain(stderr=True), **options))


def train_together(run, *overrides, size=2, trouble=None, **options):
    """The exit codes of the processes, and what each of them printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [(rank, size, port, run, overrides, options, trouble) for rank in range(size)]
    children = [FORKS.Process(target=member, args=each) for each in arguments]
    for child in children:
        child.start()
    for child in children:
        child.join(300)
    printed = [(run.parent / f"{run.name}-{rank}.txt").read_text() for rank in range(size)]
    return [child.exitcode for child in children], printed


def train_one(run, *overrides, **options):
    loop.train(small_recipe(*overrides), run, console=Console(quiet=True), **options)
