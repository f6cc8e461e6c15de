"""Writes one set in the form of each entry of DATA: photos, captions, splits -> files in a folder."""

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from showtell.data import DATA


class Photo(NamedTuple):
    """A photo as a format's writer gets it. `name` is its file name below the photo folder."""

    name: str
    split: str
    captions: tuple[Any, ...]


SOUND = [
    Photo("a.jpg", "train", ("A dog runs.", "A brown dog, running.")),
    Photo("b.jpg", "train", ('Two "big" cats; one dog',)),
    Photo("c.jpg", "val", ("Ein Hund läuft über 草.",)),
    Photo("d.jpg", "test", ("a bird", "a bird")),
]


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 2), (len(path.name) * 9 % 255, 90, 200)).save(path, format="JPEG")


def write_karpathy(root: Path, photos: Iterable[Photo]) -> None:
    entries = [{"filename": p.name, "split": p.split, "sentences": [{"raw": c} for c in p.captions]} for p in photos]
    (root / "dataset_toy.json").write_text(json.dumps({"images": entries}))


def write_coco(root: Path, photos: Iterable[Photo]) -> None:
    (root / "annotations").mkdir(exist_ok=True)
    by_split: dict[str, dict[str, list[Any]]] = {}
    for photo in photos:
        content = by_split.setdefault(photo.split, {"images": [], "annotations": []})
        content["images"].append({"id": photo.name, "file_name": photo.name})
        content["annotations"] += [{"image_id": photo.name, "caption": caption} for caption in photo.captions]
    for split, content in by_split.items():
        (root / "annotations" / f"captions_{split}2014.json").write_text(json.dumps(content))


def write_flickr(root: Path, photos: Iterable[Photo]) -> None:
    lines, lists = [], {"train": [], "dev": [], "test": []}
    for photo in photos:
        lines += [f"{photo.name}#{n}\t{caption}\n" for n, caption in enumerate(photo.captions)]
        lists["dev" if photo.split == "val" else photo.split].append(photo.name)
    (root / "Flickr8k.token.txt").write_text("".join(lines), "utf-8")
    for split, names in lists.items():
        unique = dict.fromkeys(names)
        (root / f"Flickr_8k.{split}Images.txt").write_text("".join(f"{name}\n" for name in unique), "utf-8")


def write_csv(root: Path, photos: Iterable[Photo]) -> None:
    photos = list(photos)
    for split in ("train", "val", "test"):
        with (root / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["", "filename", "caption"])
            of_split = [photo for photo in photos if photo.split == split]
            rows.writerows([n, p.name, caption] for n, p in enumerate(of_split) for caption in p.captions)


def write_folder(root: Path, photos: Iterable[Photo]) -> None:
    lines = [{"file_name": f"images/{p.name}", "split": p.split, "captions": p.captions} for p in photos]
    (root / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_webdataset(root: Path, photos: Iterable[Photo]) -> None:
    photos = list(photos)
    for split in ("train", "val", "test"):
        with tarfile.open(root / f"{split}-000000.tar", "w") as tar:
            for photo in photos:
                path = root / "images" / photo.name
                if photo.split == split:
                    if path.is_file():
                        add(tar, photo.name, path.read_bytes())
                    add(
                        tar, photo.name.removesuffix(".jpg") + ".json", json.dumps({"caption": photo.captions}).encode()
                    )
    shutil.rmtree(root / "images")


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


WRITERS: dict[str, Callable[[Path, Iterable[Photo]], None]] = {
    "karpathy": write_karpathy,
    "coco": write_coco,
    "flickr": write_flickr,
    "csv": write_csv,
    "folder": write_folder,
    "webdataset": write_webdataset,
}


def write(form: str, root: Path, photos: Iterable[Photo], missing: Iterable[str] = ()) -> Path:
    """The set in `root`, its photos in images/ but those that are `missing`."""
    photos, missing = list(photos), set(missing)
    (root / "images").mkdir(parents=True, exist_ok=True)
    for photo in photos:
        if photo.name not in missing and not (root / "images" / photo.name).exists():
            draw(root / "images" / photo.name)
    WRITERS[form](root, photos)
    return root


def without_ending(form: str, name: str) -> str:
    """A photo's image_id: webdataset's keys have no ending, imagefolder's photos are named from the root."""
    return {"webdataset": name.removesuffix(".jpg"), "folder": f"images/{name}"}.get(form, name)


def put(root: Path, files: dict[str, str], *photos: str) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    for name in photos:
        draw(root / name)
    return root


def found(root: Path, form: str = "auto", **options: Any) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {record.image_id: (record.split, record.references) for record in DATA[form](root=root, **options)}
