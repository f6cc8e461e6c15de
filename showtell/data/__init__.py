"""Images with their captions: one file per format, each a function of keyword arguments that gives records."""

from collections.abc import Callable

from showtell.data.folder import folder
from showtell.data.karpathy import karpathy
from showtell.data.record import LeftOut, Record, Records, told
from showtell.data.scenes import scenes

DATA: dict[str, Callable[..., list[Record]]] = {"karpathy": karpathy, "scenes": scenes, "folder": folder}

__all__ = ["DATA", "LeftOut", "Record", "Records", "told"]
