"""The command for captions over HTTP: serve."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from showtell.cli.words import err, is_change, load_model
from showtell.plumbing.errors import InputError
from showtell.plumbing.garbage import nothing_to_collect


def serve(
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Change the decoding, for example decode.num_beams=3."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN_OR_NAME",
            help="A run folder, packaged model or Hub id; several are shown side by side. Default: tiny.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on; 127.0.0.1 is this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
) -> None:
    """Caption photos on a web page and by HTTP, until Ctrl-C."""
    with nothing_to_collect():
        try:
            from showtell.serve.run import models_of, serve, short_names
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("fastapi", "uvicorn", "starlette", "multipart"):
                raise
            advice = "pip install 'showtell[serve]'"
            raise InputError(f"needs the package {error.name}", key="serve", advice=advice) from None

    words = changes or []
    for word in words:
        if not is_change(word):
            raise InputError(
                f"{word} is no change such as decode.num_beams=3", advice=f"for a model give --model {word}"
            )
    named = short_names(model or ["tiny"])

    def load() -> Sequence[Any]:
        return models_of({name: load_model(given, words) for name, given in named.items()})

    serve([*named], load, host, port, err)
