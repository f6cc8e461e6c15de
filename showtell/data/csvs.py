"""CSV files with a column of photos and a column of captions -> records. Columns are detected or set by options.

`sentences` decides what to do with a caption of several sentences (Kharagpur's have sixty words). For "A cat. It
sleeps.", `all` gives this one caption, `first` gives "A cat.", and `each` gives two captions.
"""

from pathlib import Path
from typing import Literal

from showtell.data.clean import Row, to_records
from showtell.data.photos import existing_folder
from showtell.data.record import Records
from showtell.data.sentences import plain
from showtell.data.sentences import sentences as split_sentences
from showtell.data.splits import HOLDER, Division, Files, Split, first_by_split, named_files
from showtell.data.table import Columns, read_table
from showtell.plumbing.errors import InputError, RecipeError
from showtell.settings.bounds import Share

ENDINGS = (".csv", ".tsv")
BY_SPLIT = tuple(
    f"{folder}{name}{ending}"
    for folder in ("", "captions/", "annotations/")
    for name in (HOLDER, f"{HOLDER}_captions", f"captions_{HOLDER}")
    for ending in ENDINGS
)
SINGLE = tuple(f"{name}{ending}" for name in ("captions", "annotations", "data", "labels") for ending in ENDINGS)


def csvs(
    *,
    root: Path,
    file: str | None = None,
    images: str | None = None,
    sentences: Literal["all", "first", "each"] = "all",
    openings: Literal["keep", "drop"] = "keep",
    photo_column: str | None = None,
    caption_column: str | None = None,
    split_column: str | None = None,
    delimiter: str | None = None,
    split: Split | None = None,
    val_share: Share = 0.1,
    test_share: Share = 0.1,
) -> Records:
    """Records in the order of the files; image_id = the photo's name as written in the file."""
    root = existing_folder(root)
    if delimiter is not None and len(delimiter) != 1:
        takes = "one character, such as ';', or null to detect it"
        raise RecipeError(key="data.delimiter", value=delimiter, takes=takes)
    columns = Columns(photo_column, caption_column, split_column, delimiter)
    files = named_files(root, file) if file is not None else find_files(root)
    if not files:
        raise InputError(f"{root}: it has no train.csv, captions.csv or single CSV; set data.file=NAME.csv")
    rows: list[Row] = []
    notes = []
    for name, path in files.items():
        file_rows, note = read_table(path, columns, name)
        rows += (_cut(row, sentences, openings == "drop") for row in file_rows)
        notes.append(note)
    sentence_note = {"all": "", "first": "only first sentences", "each": "each sentence is a caption"}[sentences]
    form = ", ".join(filter(None, [f"csv: {', '.join(path.name for path in files.values())}", sentence_note, *notes]))
    return to_records(root, rows, form=form, images=images, division=Division(split, val_share, test_share))


def find_files(root: Path) -> Files:
    """One file per split. If there is none: a file with a usual name, or the only CSV of the folder."""
    if by_split := first_by_split(root, BY_SPLIT):
        return by_split
    named = [root / name for name in SINGLE if (root / name).is_file()]
    others = [path for path in sorted(root.iterdir()) if path.suffix.lower() in ENDINGS and path.is_file()]
    return {None: (named or others)[0]} if named or len(others) == 1 else {}


def _cut(row: Row, sentences: str, drop: bool) -> Row:
    if sentences == "all" and not drop:
        return row
    captions: list[object] = []
    for caption in row.captions:
        pieces = split_sentences(caption) if isinstance(caption, str) else []
        pieces = [plain(piece) for piece in pieces] if drop else pieces
        pieces = pieces[:1] if sentences == "first" else [" ".join(pieces)] if sentences == "all" else pieces
        captions += pieces or [caption]
    return row._replace(captions=captions)
