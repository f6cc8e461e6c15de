"""Commands for your own photos: caption, explain."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from showtell.cli.words import Model, Photos, err, load_model, out, photos_and_changes, report_unreadable
from showtell.plumbing.errors import InputError, Unreadable
from showtell.plumbing.garbage import nothing_to_collect
from showtell.plumbing.messages import count, printable


def caption(
    photos: Photos,
    model: Model = "tiny",
    output: Annotated[
        Path | None, typer.Option("--out", help="Write the captions into a .json, .jsonl or .csv file.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an --out that was stopped.")] = False,
) -> None:
    """Caption your own photos. If --out is stopped, FILE.partial stays, and --resume continues."""
    with nothing_to_collect():
        from showtell.loading import packaged_models
        from showtell.plumbing.errors import Interrupted
        from showtell.plumbing.interrupt import stop_signal
        from showtell.predict.captions import caption_photos
        from showtell.predict.photos import find_photos
        from showtell.predict.writer import Writer

    if resume and output is None:
        raise InputError("needs the file to continue", key="--resume", advice="name the file with --out")
    words, changes = photos_and_changes(photos)
    paths = find_photos(words)
    Writer(output)  # raises for a name without a known ending, before the model is loaded
    captioner = load_model(model, changes)
    if model in packaged_models():
        err.print((packaged_models()[model] / "about.txt").read_text("utf-8").strip(), markup=False, soft_wrap=True)
    writer = Writer(output, resume=resume, made_by=captioner.fingerprint if output is not None else "", photos=paths)
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
                        print(f"{printable(image_id)}: {result.text}", flush=True)
                if stop:
                    raise Interrupted("stopped")
    except BaseException:  # Ctrl-C too: tell the user that the captions are kept
        if writer.partial is not None and writer.rows:
            line = shlex.join(["showtell", *(word for word in sys.argv[1:] if word != "--resume"), "--resume"])
            kept = f"{writer.partial} keeps {count(len(writer.rows), 'caption')}; continue with: {line}"
            err.print(printable(kept), markup=False, soft_wrap=True)
        raise
    if output is not None:
        out.print(f"written: {output} ({len(writer.rows):,} captions)")
    report_unreadable(failed, len(paths))


def explain(
    photos: Photos,
    model: Model = "tiny",
    output: Annotated[Path, typer.Option("--out", help="Folder for the pictures.")] = Path("explained"),
) -> None:
    """Draw where the model looked in the photo for each word."""
    with nothing_to_collect():
        from showtell.predict.photos import find_photos
        from showtell.report.explained import explain_photos

    words, changes = photos_and_changes(photos)
    paths = find_photos(words)
    captioner = load_model(model, changes)
    failed: dict[str, Unreadable] = {}
    for image_id, picture in explain_photos(captioner, paths, output, err):
        if isinstance(picture, Unreadable):
            failed[image_id] = picture
        else:
            out.print(f"written: {picture}")
    report_unreadable(failed, len(paths))
