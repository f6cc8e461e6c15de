"""In tests every call in these rooms checks its arguments and results against their annotations, shapes too.

Import this before the rooms. Elsewhere the annotations cost nothing.
"""

from typing import Any

from beartype import beartype
from jaxtyping import install_import_hook, jaxtyped

ROOMS = ["features", "layers", "decoders", "encoders.grid", "losses.cross_entropy", "losses.self_critical"]

install_import_hook([f"showtell.{room}" for room in ROOMS], "beartype.beartype")

from showtell.decode.decoded import Decoded  # noqa: E402
from showtell.decoders.decoder import Output  # noqa: E402
from showtell.encoders import ENCODERS  # noqa: E402
from showtell.features import Features  # noqa: E402
from showtell.tokenizers.captions import Captions  # noqa: E402

tuples: tuple[Any, ...] = (Features, Output, Captions, Decoded)
for kind in tuples:  # the hook knows functions and dataclasses only
    kind.__new__ = jaxtyped(kind.__new__, typechecker=beartype)
for encoder in ENCODERS.values():  # not their constructors, which tests give wrong options
    for verb in ("forward", "transform", "pool"):
        setattr(encoder, verb, jaxtyped(getattr(encoder, verb), typechecker=beartype))
