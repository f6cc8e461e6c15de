"""Images with their captions: one file per format, each a function of keyword arguments that gives records.

A format's file only reads rows; `clean` makes records of them, for all formats alike.
"""

from showtell.data.auto import auto
from showtell.data.coco import coco
from showtell.data.csvs import csvs
from showtell.data.flickr import flickr
from showtell.data.folder import folder
from showtell.data.join import join
from showtell.data.karpathy import karpathy
from showtell.data.photos import photos_beside
from showtell.data.record import DATA, LeftOut, Record, Records, notes, told
from showtell.data.scenes.scenes import scenes as drawn_scenes
from showtell.data.webdataset import webdataset

DATA |= {
    "auto": auto,
    "karpathy": karpathy,
    "coco": coco,
    "flickr": flickr,
    "csv": csvs,
    "folder": folder,
    "webdataset": webdataset,
    "join": join,
    "scenes": drawn_scenes,
}

__all__ = ["DATA", "LeftOut", "Record", "Records", "notes", "photos_beside", "told"]
