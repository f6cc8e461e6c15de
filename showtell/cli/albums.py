"""Commands for albums of any size: `caption ALBUM --out FOLDER/`, and find."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from showtell.cli.words import SOME_UNREADABLE, err, load_model, out
from showtell.plumbing.errors import InputError, Interrupted
from showtell.plumbing.garbage import nothing_to_collect
from showtell.plumbing.messages import count, printable, say

ENDINGS = (".json", ".jsonl", ".csv")


@dataclass
class AlbumOptions:
    """The options of `caption` that only an album has; None or False if they are not given."""

    shard: str | None = None
    format: str | None = None
    sidecar: str | None = None
    prepend: str | None = None
    append: str | None = None
    max_characters: int | None = None
    photo_column: str | None = None
    review: Path | None = None
    engine: str | None = None
    overwrite: bool = False

    @property
    def given(self) -> str | None:
        """The first of them that is given."""
        return next(
            (f"--{key.replace('_', '-')}" for key, value in vars(self).items() if value not in (None, False)), None
        )


def is_album(output: str | None) -> bool:
    """Whether `--out` names a folder: it ends with /, is a folder, or has no ending."""
    return output is not None and (output.endswith("/") or Path(output).is_dir() or not Path(output).suffix)


def refuse(options: AlbumOptions, words: Sequence[Path], output: str | None) -> None:
    """Raise InputError if something that only an album has is asked for without a folder."""
    special = next((path for path in words if path.suffix.lower() in (".txt", ".tar", ".parquet")), None)
    asked = options.given or (str(special) if special is not None and special.is_file() else None)
    if asked is not None:
        is_file = f"--out {output} is a file" if output is not None else "there is no --out"
        raise InputError(f"needs a folder for the captions, but {is_file}", key=asked, advice="give --out FOLDER/")


def caption_album(words: Sequence[Path], changes: list[str], model: str, output: str, options: AlbumOptions) -> None:
    with nothing_to_collect():
        from showtell.loading import packaged_models
        from showtell.predict.album.run import Asked, caption_album
        from showtell.predict.album.shards import read_shard
        from showtell.predict.album.sources import Source
        from showtell.predict.album.wording import Wording

    if options.sidecar not in (None, "txt"):
        raise InputError(key="--sidecar", value=options.sidecar, takes="txt")
    if options.engine not in (None, "ray"):
        raise InputError(key="--engine", value=options.engine, takes="ray")
    if options.review is not None:
        _check_page(options.review, "--review")
    source = Source(words, options.photo_column)
    asked = Asked(
        folder=Path(output),
        form=options.format or "jsonl",
        shard=read_shard(options.shard) if options.shard is not None else None,
        wording=Wording(options.prepend or "", options.append or "", options.max_characters),
        sidecars=options.sidecar is not None,
        overwrite=options.overwrite,
    )
    asked.check(source)
    engine = _engine(options.engine, model, changes)
    captioner = load_model(model, changes)
    if model in packaged_models():
        say(err, (packaged_models()[model] / "about.txt").read_text("utf-8").strip())
    curve = _calibration(model, captioner)
    try:
        report = caption_album(captioner, _place(model), source, asked, err, curve, engine)
    except Interrupted:
        line = shlex.join(["showtell", *(word for word in sys.argv[1:] if word != "--overwrite")])
        say(err, printable(f"everything so far is in {output}; continue with: {line}"))
        raise
    made = report.photos - report.before
    pace = f", {made / report.seconds:.1f} photos/s" if made else ""
    out.print(f"written: {output} ({count(report.photos, 'photo')}, {made:,} of them now{pace})")
    _report_kept(report)
    _report_failures(report)
    if options.review is not None:
        _write_review(options.review, asked.folder, must=not report.failures)
    if report.failures:
        raise typer.Exit(SOME_UNREADABLE)


def _check_page(path: Path, key: str) -> None:
    from showtell.report.page import check_out

    if path.suffix != ".html":
        raise InputError(key=key, value=str(path), takes="a name that ends in .html")
    check_out(path)


def _engine(name: str | None, model: str, changes: list[str]) -> Any:
    if name is None:
        return None
    from showtell.predict.album.on_ray import engine

    return engine(partial(load_model, model, changes))


def _place(model: str) -> str:
    """A run by its whole path, so that another working folder does not make it another model."""
    return str(Path(model).absolute()) if Path(model).exists() else model


def _calibration(model: str, captioner: Any) -> Any:
    from showtell.loading import packaged_models
    from showtell.predict.album.confidence import read_calibration

    folder = packaged_models().get(model, Path(model))
    return read_calibration(folder, captioner) if folder.is_dir() else None


def _report_kept(report: Any) -> None:
    if report.kept:
        first = f"first: {printable(report.first_kept)}"
        say(err, f"{count(report.kept, 'photo')} had another text beside it, which stays ({first})")


def _report_failures(report: Any) -> None:
    if report.failures:
        for image_id, reason in report.failed.items():
            say(err, f"not read: {printable(image_id)}: {reason}")
        say(err, f"{report.failures:,} of {count(report.photos, 'photo')} cannot be read: their rows have the reason")


def _write_review(path: Path, folder: Path, must: bool) -> None:
    """Raises InputError if the page cannot be written; unless it `must` be, the error is only reported."""
    from showtell.report.album import write_review

    try:
        shown = write_review(path, folder)
    except (InputError, OSError) as error:
        if must:
            raise
        say(err, f"no review: {error}")
        return
    out.print(f"written: {path} ({count(shown, 'photo')} to look at first)")


def find(
    sentence: Annotated[str, typer.Argument(metavar="SENTENCE", help='What the photos show, such as "a red car".')],
    album: Annotated[
        Path,
        typer.Argument(metavar="ALBUM", help="A folder that `caption` wrote, or photos: a folder, list, tar, table."),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="CLIP_OR_RUN", help="A CLIP or a captioner, as for `classify`; by default the album's own."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many photos.")] = 20,
    output: Annotated[Path | None, typer.Option("--out", help="Write a page of thumbnails (.html).")] = None,
) -> None:
    """Find the photos of an album that fit a sentence best."""
    with nothing_to_collect():
        from showtell.plumbing.console import plain
        from showtell.zeroshot.find import find

    if not album.exists():
        raise InputError("does not exist", key=str(album), advice="name a folder of captions, or photos")
    if output is not None:
        _check_page(output, "--out")
    found = find(sentence, album, model, top, err)
    say(err, f"model: {printable(found.model)}; {count(found.searched, 'photo')}")
    for note in found.notes:
        say(err, printable(note))
    for hit in found.hits:
        caption = f" {hit.caption}" if hit.caption else ""
        print(plain(f"{hit.item.image_id}: {hit.score:.3f}{caption}"))
    if output is not None:
        from showtell.report.album import write_found

        out.print(f"written: {write_found(output, found)}")
