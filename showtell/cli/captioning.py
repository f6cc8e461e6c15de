"""Commands for your own photos: caption, explain."""

from pathlib import Path
from typing import Annotated

import typer

from showtell.cli.words import Model, Photos, err, load_model, out, photos_and_changes, report_unreadable
from showtell.plumbing.errors import Unreadable
from showtell.plumbing.messages import printable


def caption(
    photos: Photos,
    model: Model = "tiny",
    output: Annotated[Path | None, typer.Option("--out", help="A .json, .jsonl or .csv file.")] = None,
) -> None:
    """Caption your own photos."""
    from showtell.loading import packaged_models
    from showtell.predict.captions import Writer, caption_photos, find_photos

    words, changes = photos_and_changes(photos)
    found = find_photos(words)
    writer = Writer(output)
    captioner = load_model(model, changes)
    if model in packaged_models():
        err.print((packaged_models()[model] / "about.txt").read_text("utf-8").strip(), markup=False, soft_wrap=True)
    failed: dict[str, Unreadable] = {}
    with writer:
        for image_id, result in caption_photos(captioner, found, console=err):
            if isinstance(result, Unreadable):
                failed[image_id] = result
            else:
                writer.write(image_id, result)
                if output is None:
                    print(f"{printable(image_id)}: {result.text}", flush=True)
    if output is not None:
        out.print(f"written: {output} ({len(found) - len(failed):,} captions)")
    report_unreadable(failed, len(found))


def explain(
    photos: Photos,
    model: Model = "tiny",
    output: Annotated[Path, typer.Option("--out", help="Folder for the pictures.")] = Path("explained"),
) -> None:
    """Draw which part of the photo each word looked at."""
    from showtell.predict.captions import find_photos
    from showtell.report.explained import explain_photos

    words, changes = photos_and_changes(photos)
    found = find_photos(words)
    captioner = load_model(model, changes)
    failed: dict[str, Unreadable] = {}
    for image_id, picture in explain_photos(captioner, found, output, err):
        if isinstance(picture, Unreadable):
            failed[image_id] = picture
        else:
            out.print(f"written: {picture}")
    report_unreadable(failed, len(found))
