"""Photos with their captions. Each format is one file with one function: keyword arguments -> Records.

A format only reads rows. `clean.py` turns the rows of all formats into records, by the same rules.
"""

from showtell.data.auto import auto
from showtell.data.coco import coco
from showtell.data.csvs import csvs
from showtell.data.flickr import flickr
from showtell.data.folder import folder
from showtell.data.hdf5 import hdf5
from showtell.data.join import join
from showtell.data.karpathy import karpathy
from showtell.data.photo_pickles import photo_pickles
from showtell.data.photos import photos_beside
from showtell.data.record import DATA, LeftOut, Record, Records, notes, told
from showtell.data.scenes.scenes import scenes as drawn_scenes
from showtell.data.texts import texts
from showtell.data.webdataset import webdataset

DATA |= {
    "auto": auto,
    "karpathy": karpathy,
    "coco": coco,
    "flickr": flickr,
    "csv": csvs,
    "folder": folder,
    "webdataset": webdataset,
    "texts": texts,
    "hdf5": hdf5,
    "join": join,
    "photo_pickles": photo_pickles,
    "scenes": drawn_scenes,
}

__all__ = ["DATA", "LeftOut", "Record", "Records", "notes", "photos_beside", "told"]
