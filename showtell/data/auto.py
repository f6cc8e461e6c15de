"""A folder -> its records. The file names in it decide which format it has.

FORMS is tried from top to bottom. If a folder has several formats (copies of Flickr8k often do), the first one wins,
and formats with splits come first. A name such as train.json is ambiguous, so the COCO reader opens it. If the content
is not COCO's, the next format is tried.
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
from showtell.data.texts import find_texts, texts
from showtell.data.webdataset import find_shards, webdataset
from showtell.plumbing.errors import InputError


class Form(NamedTuple):
    """A format: its reader, a test whether a folder has its files, and their usual names (for messages)."""

    name: str
    read: Callable[..., Records]
    present: Callable[[Path], object]
    looked_for: str


def _split_csvs(root: Path) -> bool:
    return None not in (files := csv_files(root)) and bool(files)


def _listed_flickr(root: Path) -> bool:
    files = flickr_files(root)
    return bool(files) and (None not in files or bool(find_lists(root)))


def _texts_of_photos(root: Path) -> object:
    return find_texts(root)[0]


FORMS = (  # formats with splits and captions, then captions without splits, then photos only
    Form("karpathy", karpathy, find_jsons, "dataset_*.json"),
    Form("coco", coco, coco_files, "captions_train2017.json or train.json (also in annotations/)"),
    Form("flickr", flickr, _listed_flickr, "train_captions.txt, or captions with Flickr_8k.trainImages.txt"),
    Form("csv", csvs, _split_csvs, "train.csv"),
    Form("folder", folder, find_metadata, "metadata.jsonl or metadata.csv"),
    Form("webdataset", webdataset, find_shards, "train-000000.tar"),
    Form("flickr", flickr, flickr_files, "captions.txt, *.token.txt, results.csv"),
    Form("csv", csvs, csv_files, "captions.csv or a single other CSV"),
    Form("texts", texts, _texts_of_photos, "1.txt beside 1.jpg"),
    Form("folder", bare, lambda root: True, "photos"),
)


def auto(*, root: Path) -> Records:
    """The records of the first of FORMS that `root` has, with the format's default options."""
    root = existing_folder(root)
    for form in FORMS:
        if form.present(root):
            try:
                return _read(form, root)
            except OtherForm:
                continue
    raise AssertionError("the last form reads any folder")


def _read(form: Form, root: Path) -> Records:
    """The form's records. An error names the detected format and what else the user can try."""
    if form.read is bare and not any(root.iterdir()):
        raise InputError(f"{root}: the folder is empty; {_wanted()}")
    try:
        return form.read(root=root)
    except OtherForm:
        raise
    except InputError as error:
        if form.read is bare:
            raise InputError(f"{error}; {_wanted()}") from error
        taken = "" if f"read as {form.name}: " in str(error) else f"read as {form.name}; "
        raise InputError(f"{error} ({taken}for its options or another format, set data=NAME)") from error


def _wanted() -> str:
    looked = "; ".join(f"{form.looked_for} ({form.name})" for form in FORMS)
    return f"it has no captions either; searched for {looked}"
