"""A folder -> the records of whichever format lies in it, and what it was taken for.

Where several forms of one set lie together (Flickr8k often comes so), the one that carries the split and most of the
set is taken. What only looks alike is told apart by the files' names; a JSON file whose name says nothing, such as
train.json, is opened: what is not COCO's in it is left to the forms after COCO.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from showtell.data.coco import OtherForm, coco
from showtell.data.coco import find_files as coco_files
from showtell.data.csvs import csvs
from showtell.data.csvs import find_files as csv_files
from showtell.data.flickr import find_files as flickr_files
from showtell.data.flickr import find_lists, flickr
from showtell.data.folder import bare, find_metadata, folder
from showtell.data.karpathy import find_jsons, karpathy
from showtell.data.photos import existing_folder
from showtell.data.record import Records
from showtell.data.webdataset import find_shards, webdataset
from showtell.plumbing.errors import InputError


class Form(NamedTuple):
    """A format, whether its files are in a folder, and what they are called."""

    name: str
    read: Callable[..., Records]
    present: Callable[[Path], object]
    looked_for: str


def _split_csvs(root: Path) -> bool:
    return None not in (files := csv_files(root)) and bool(files)


def _listed_flickr(root: Path) -> bool:
    files = flickr_files(root)
    return bool(files) and (None not in files or bool(find_lists(root)))


FORMS = (  # in the order of what they carry: split and captions together, captions alone, photos alone
    Form("karpathy", karpathy, find_jsons, "dataset_*.json"),
    Form("coco", coco, coco_files, "captions_train2017.json or train.json (also in annotations/)"),
    Form("flickr", flickr, _listed_flickr, "train_captions.txt, or captions with Flickr_8k.trainImages.txt"),
    Form("csv", csvs, _split_csvs, "train.csv"),
    Form("folder", folder, find_metadata, "metadata.jsonl or metadata.csv"),
    Form("webdataset", webdataset, find_shards, "train-000000.tar"),
    Form("flickr", flickr, flickr_files, "captions.txt, *.token.txt, results.csv"),
    Form("csv", csvs, csv_files, "captions.csv or a single other CSV"),
    Form("folder", bare, lambda root: True, "photos"),
)


def auto(*, root: Path) -> Records:
    """The records of the first of FORMS that lies in `root`, with that format's own settings."""
    root = existing_folder(root)
    for form in FORMS:
        if form.present(root):
            try:
                return _read(form, root)
            except OtherForm:
                continue
    raise AssertionError("the last form takes any folder")


def _read(form: Form, root: Path) -> Records:
    """The form's records; an error says what the folder was taken for, and what else can be done."""
    if form.read is bare and not any(root.iterdir()):
        raise InputError(f"{root}: an empty folder; {_wanted()}")
    try:
        return form.read(root=root)
    except OtherForm:
        raise
    except InputError as error:
        if form.read is bare:
            raise InputError(f"{error}; {_wanted()}") from error
        taken = "" if f"taken for {form.name}: " in str(error) else f"taken for {form.name}; "
        raise InputError(f"{error} ({taken}for its options, or another form: data=NAME)") from error


def _wanted() -> str:
    looked = "; ".join(f"{form.looked_for} ({form.name})" for form in FORMS)
    return f"no captions either; looked for {looked}"
