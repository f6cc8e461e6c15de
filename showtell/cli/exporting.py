"""The command for captions without torch: export."""

from pathlib import Path
from typing import Annotated

import typer

from showtell.cli.words import err, load_model


def export(
    model: Annotated[str, typer.Argument(metavar="RUN_OR_NAME", help="A run folder, packaged model or Hub id.")],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Change the decoding, for example decode.num_beams=3."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write; an earlier export there is replaced.")] = Path("onnx"),
    int8: Annotated[
        bool, typer.Option("--int8", help="Store the decoder's matrices as bytes: smaller and faster, less exact.")
    ] = False,
) -> None:
    """Write a captioner as ONNX, with a runner that needs numpy, Pillow and onnxruntime alone."""
    from showtell.export.write import check_free, check_packages, export

    check_packages()
    check_free(out)
    captioner = load_model(model, changes or [])
    if captioner.device.type != "cpu":
        captioner.to("cpu")
    with err.status("exporting encoder.onnx") as status:
        export(captioner, out, int8, lambda name: status.update(f"exporting {name}"))
    print(f"{out} written; caption a photo with: python {out / 'run.py'} photo.jpg")
