"""Commands for your own photos: caption, explain, classify."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from showtell.cli.albums import AlbumOptions, caption_album, is_album, refuse
from showtell.cli.words import (
    SOME_UNREADABLE,
    Model,
    Photos,
    err,
    load_model,
    out,
    photos_and_changes,
    report_unreadable,
    say,
)
from showtell.plumbing import origin
from showtell.plumbing.console import plain
from showtell.plumbing.errors import InputError, Unreadable
from showtell.plumbing.garbage import nothing_to_collect
from showtell.plumbing.messages import count, printable

ALBUMS = "Albums (with --out FOLDER/)"


def caption(
    photos: Photos,
    model: Model = "tiny",
    out_name: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="FILE|FOLDER/", help="Write a .json, .jsonl or .csv file; a folder for an album."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an --out that was stopped; a folder always continues.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Make only the I-th of N shares, counted from 0.", rich_help_panel=ALBUMS),
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="jsonl|parquet", help="Of the rows.", rich_help_panel=ALBUMS)
    ] = None,
    sidecar: Annotated[
        str | None,
        typer.Option(metavar="txt", help="Also write dog.txt beside dog.jpg.", rich_help_panel=ALBUMS),
    ] = None,
    prepend: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Begin each caption with it.", rich_help_panel=ALBUMS)
    ] = None,
    append: Annotated[
        str | None, typer.Option(metavar="TEXT", help="End each caption with it.", rich_help_panel=ALBUMS)
    ] = None,
    max_characters: Annotated[
        int | None, typer.Option(metavar="N", help="Cut longer captions at a word.", rich_help_panel=ALBUMS)
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Begin the folder anew, and replace texts beside photos.", rich_help_panel=ALBUMS
        ),
    ] = False,
    review: Annotated[
        Path | None,
        typer.Option(
            metavar="PAGE.html", help="A page of the hundred captions that are least sure.", rich_help_panel=ALBUMS
        ),
    ] = None,
    photo_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The column of photos in a parquet table.", rich_help_panel=ALBUMS),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(metavar="ray", help="Use every machine of a Ray cluster.", rich_help_panel=ALBUMS)
    ] = None,
) -> None:
    """Caption your own photos. If --out is stopped, FILE.partial stays, and --resume continues.

    With --out FOLDER/, caption an album of any size: a folder, a list (.txt), tars or parquet tables.
    """
    options = AlbumOptions(
        shard, form, sidecar, prepend, append, max_characters, photo_column, review, engine, overwrite
    )
    if is_album(out_name):
        assert out_name is not None
        words, changes = photos_and_changes(photos)
        caption_album(words, changes, model, out_name, options)
        return
    with nothing_to_collect():
        from showtell.captioners.speaking import returns_several
        from showtell.loading import packaged_models
        from showtell.plumbing.errors import Interrupted
        from showtell.plumbing.interrupt import stop_signal
        from showtell.predict.captions import caption_photos
        from showtell.predict.photos import find_photos
        from showtell.predict.writer import Writer

    if resume and out_name is None:
        raise InputError("needs the file to continue", key="--resume", advice="name the file with --out")
    words, changes = photos_and_changes(photos)
    refuse(options, words, out_name)
    output = Path(out_name) if out_name is not None else None
    paths = find_photos(words, say)
    Writer(output)  # raises for a name without a known ending, before the model is loaded
    captioner = load_model(model, changes)
    if model in packaged_models():
        err.print((packaged_models()[model] / "about.txt").read_text("utf-8").strip(), markup=False, soft_wrap=True)
    made_by = captioner.fingerprint if output is not None else ""
    several = returns_several(captioner.decode)
    writer = Writer(output, resume=resume, made_by=made_by, photos=paths, several=several)
    failed: dict[str, Unreadable] = {}
    try:
        with stop_signal() as stop, writer:
            if writer.replaced:
                note = f"starting again; the captions in {writer.partial} are dropped, because --resume was not given"
                err.print(note, markup=False, soft_wrap=True)
            left = {image_id: path for image_id, path in paths.items() if image_id not in writer.done}
            if len(left) < len(paths):
                err.print(f"resuming: {len(paths) - len(left):,} of {count(len(paths), 'photo')} have a caption")
            for image_id, result in caption_photos(captioner, left, console=err):
                if isinstance(result, Unreadable):
                    failed[image_id] = result
                else:
                    writer.write(image_id, result)
                    if output is None:
                        for each in (result, *result.others):
                            print(f"{printable(image_id)}: {printable(each.text)}", flush=True)
                if stop:
                    raise Interrupted("stopped")
    except BaseException:  # Ctrl-C too: tell the user that the captions are kept
        if writer.partial is not None and writer.rows:
            line = shlex.join(["showtell", *(word for word in sys.argv[1:] if word != "--resume"), "--resume"])
            kept = f"{writer.partial} keeps {count(len(writer.rows), 'caption')}; continue with: {line}"
            err.print(printable(kept), markup=False, soft_wrap=True)
        raise
    if output is not None:
        out.print(f"written: {output} ({len(writer.rows):,} {'photos' if several else 'captions'})")
    report_unreadable(failed, len(paths))


def explain(
    photos: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PHOTO_OR_FOLDER", help="Photos and folders of photos. decode.KEY=VALUE changes the decoding."
        ),
    ] = None,
    model: Model = "tiny",
    how: Annotated[
        str | None,
        typer.Option(
            metavar="relevance|attention|occlusion",
            help="The method. By default relevance if the model has attention, else occlusion.",
        ),
    ] = None,
    layer: Annotated[
        int | None, typer.Option(help="Attention of one layer, from 0; -1 is the last. By default the mean.")
    ] = None,
    head: Annotated[str, typer.Option(metavar="N|mean", help="Attention of one head, from 0, or the mean.")] = "mean",
    words: Annotated[
        str | None, typer.Option(metavar="dog,grass", help="Draw only these words, with commas between.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--out", help="Folder for the pictures (.png), their numbers (.npz) and the page.")
    ] = Path("explained"),
    check: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Measure all methods on a folder of photos instead: do their maps matter?"),
    ] = None,
) -> None:
    """Show where in the photo each word of the caption came from."""
    with nothing_to_collect():
        from showtell.captioners.speaking import returns_several
        from showtell.explain.explain import check_method
        from showtell.predict.photos import find_photos
        from showtell.report.explained import NeverSaid, UnsaidWord, explain_photos

    one_head = _head(head)
    check_method(how, layer, one_head)
    wanted = [word.strip() for word in (words or "").split(",") if word.strip()]
    if words is not None and not wanted:
        raise InputError(key="--words", value=words, takes="words of the caption, with commas between")
    given, changes = photos_and_changes(photos or [])
    if check is not None:
        if given or how or wanted or layer is not None or one_head is not None:
            raise InputError("measures all methods on its own photos", key="--check", advice="give it only a folder")
        _check_explanations(check, model, changes, output)
        return
    paths = find_photos(given, say)
    captioner = load_model(model, changes)
    if returns_several(captioner.decode):
        several = captioner.decode["num_return_sequences"]
        err.print(f"decode.num_return_sequences={several}: only the best caption of each photo is explained")
    failed: dict[str, Unreadable] = {}
    unsaid: list[UnsaidWord] = []
    never: list[NeverSaid] = []
    asked: dict[str, Any] = {"model": model, "how": how, "layer": layer, "head": one_head, "words": wanted}
    for image_id, picture in explain_photos(captioner, paths, output, err, **asked):
        if isinstance(picture, Unreadable):
            failed[image_id] = picture
        elif isinstance(picture, UnsaidWord):
            unsaid.append(picture)
        elif isinstance(picture, NeverSaid):
            never.append(picture)
        else:
            out.print(f"written: {picture}")
    for error in unsaid:
        err.print(f"not drawn: {error}", markup=False, soft_wrap=True)
    for word in never:
        err.print(str(word), markup=False, soft_wrap=True)
    if unsaid and len(unsaid) + len(failed) == len(paths):
        raise InputError("names words that no caption says", key="--words", advice="remove it, or name others")
    report_unreadable(failed, len(paths))


def _head(head: str) -> int | None:
    if head == "mean":
        return None
    try:
        return int(head)
    except ValueError:
        raise InputError(key="--head", value=head, takes="the number of a head, from 0, or mean") from None


def _check_explanations(folder: Path, model: str, changes: list[str], output: Path) -> None:
    with nothing_to_collect():
        from showtell.explain.check import check
        from showtell.plumbing.files import check_folder, write_json
        from showtell.predict.photos import find_photos
        from showtell.report.checked import as_json, lines
        from showtell.report.explained import check_ours_file

    check_folder(output, "--out")
    path = output / "check.json"
    check_ours_file(path)
    paths = find_photos([folder])
    checked = check(load_model(model, changes), paths, err)
    for line in lines(checked, model):
        out.print(line)
    output.mkdir(parents=True, exist_ok=True)
    write_json(path, as_json(checked, origin.command()))
    out.print(f"written: {path}")
    report_unreadable(checked.failed, len(paths))


def classify(
    photos: Annotated[list[str], typer.Argument(metavar="PHOTO_OR_FOLDER", help="Photos and folders of photos.")],
    labels: Annotated[
        str,
        typer.Option(metavar="FILE|cat,dog|folders", help="Labels: a .json, .txt or .csv, names, or folders' names."),
    ],
    prompt: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A text with {} in the label's place. Give several to compare them."),
    ] = None,
    prompts: Annotated[
        str | None, typer.Option(metavar="SET", help="A set of prompts: none, photo (the default), simple7, varied36.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            metavar="CLIP_OR_RUN",
            help="A CLIP (hub id, folder, open_clip:ARCHITECTURE/TAG), or a captioner: run folder, packaged model. "
            "tiny works offline; a CLIP knows far more labels.",
        ),
    ] = "tiny",
    truth: Annotated[
        str | None,
        typer.Option(metavar="name|folder|FILE", help="The right labels: then accuracy is printed for each prompt."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many of the likeliest labels are shown and counted.")] = 5,
    bars: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw each photo with bars of its five likeliest labels.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--out", help="Write filename,label into a .csv file.")] = None,
    long: Annotated[bool, typer.Option("--long", help="Add name, probability, margin, truth, top to --out.")] = False,
    skip: Annotated[
        bool, typer.Option("--skip", help="Omit photos that cannot be read; by default they get the first label.")
    ] = False,
) -> None:
    """Give each photo one of your labels, without training: by a CLIP, or by any captioner."""
    with nothing_to_collect():
        from showtell.plumbing.files import check_folder
        from showtell.predict.photos import find_photos
        from showtell.report.classified import draw_bars, each_photo, lines
        from showtell.zeroshot.classify import classify_photos
        from showtell.zeroshot.labels import FOLDERS, read_labels
        from showtell.zeroshot.models import open_model
        from showtell.zeroshot.prompts import DEFAULT, named_set, read_prompts
        from showtell.zeroshot.table import check_table, write_table
        from showtell.zeroshot.truth import read_truth

    if output is not None:
        check_table(output)
    elif long or skip:
        raise InputError("changes the file of --out", key="--long" if long else "--skip", advice="give --out FILE.csv")
    if bars is not None:
        check_folder(bars, "--bars")
    found = find_photos([Path(photo) for photo in photos], say)
    chosen = read_labels(labels, found.values())
    named = named_set(prompts) if prompts is not None else ()
    asked = read_prompts([*named, *(prompt or ())]) if named or prompt else read_prompts(DEFAULT)
    if truth is None and labels == FOLDERS:
        truth = "folder"
    known = read_truth(truth, found, chosen) if truth is not None else None
    seen = classify_photos(open_model(model, console=err), found, chosen, asked, known, err)
    for note in (f"model: {seen.model}; {len(chosen.names):,} labels: {_some(chosen.names)}", *seen.notes):
        err.print(printable(note), markup=False, soft_wrap=True)
    if output is None and bars is None and truth is None:
        for line in each_photo(seen, top):
            print(plain(line))
    if known is not None:
        for part in lines(seen, top):
            out.print(part)
    if output is not None:
        out.print(f"written: {output} ({count(write_table(output, seen, long=long, skip=skip, top=top), 'row')})")
    if bars is not None:
        out.print(f"written: {count(draw_bars(seen, bars, err), 'picture')} in {bars}")
    if seen.failed:
        for image_id, reason in seen.failed.items():
            err.print(f"not read: {printable(image_id)}: {reason}", markup=False, soft_wrap=True)
        fate = "skipped" if skip else f"they get the first label, {chosen.keys[0]}"
        err.print(f"{len(seen.failed):,} of {count(len(found), 'photo')} cannot be read: {fate}", markup=False)
        raise typer.Exit(SOME_UNREADABLE)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (", .." if len(names) > 5 else "")
