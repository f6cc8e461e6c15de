"""The same work on a Ray cluster: Ray Data hands the numbers of parts to actors, and each actor writes its parts.

Every machine must see the photos and the folder of captions under the same paths. An actor that dies is started anew
and its part is made again, from the rows that are on disk; Ray moves only numbers, never photos or captions.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from showtell.captioners.captioner import Captioner
from showtell.plumbing.errors import InputError, ShowtellError
from showtell.predict.album.run import Engine, Steps
from showtell.predict.album.work import Step, Work, make_parts

ERROR = re.compile(r"[\w.]*(Error|Exception)\b")
Load = Callable[[], Captioner]


class Maker:
    """An actor: it loads the captioner once and makes the parts that it is given.

    Our own errors are handed on as text. Raised here, Ray would retry them and hide their words in its own.
    """

    def __init__(self, load: Load, work: Work) -> None:
        self.load, self.work = load, work
        self.captioner: Captioner | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        made = [self._make(number) for number in batch["part"].tolist()]
        return {name: [each[name] for each in made] for name in made[0]}

    def _make(self, number: int) -> dict[str, Any]:
        steps: list[Step] = []
        error = ""
        try:
            if self.captioner is None:
                self.captioner = self.load()
            steps += make_parts(self.captioner, self.work, [number])
        except ShowtellError as wrong:
            error = str(wrong)
        return _summed(number, steps) | {"error": error}


def _summed(number: int, steps: list[Step]) -> dict[str, Any]:
    sums = {name: sum(getattr(step, name) for step in steps) for name in ("photos", "failed", "before")}
    kept = [image_id for step in steps for image_id in step.kept]
    return {"part": number, **sums, "kept": json.dumps(kept)}


def engine(load: Load) -> Engine:
    """An engine that runs as many actors as the cluster has GPUs, or else cores. `load` is sent to them."""
    ray = _ray()

    def make(work: Work, numbers: list[int]) -> Steps:
        if not numbers:
            return
        if not ray.is_initialized():
            ray.init(log_to_driver=False, include_dashboard=False)  # RAY_ADDRESS names a cluster; else this machine
        has = ray.cluster_resources()
        gpus = int(has.get("GPU", 0))
        most = max(1, min(len(numbers), gpus or int(has.get("CPU", 1))))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False  # we have our own
        parts = ray.data.from_items([{"part": number} for number in numbers], override_num_blocks=len(numbers))
        made = parts.map_batches(
            Maker,
            fn_constructor_args=(load, replace(work, folder=work.folder.absolute())),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
            num_cpus=0 if gpus else 1,
            num_gpus=1 if gpus else 0,
        )
        try:
            for row in made.iter_rows():
                if row["error"]:
                    raise InputError(row["error"])
                yield Step(
                    row["part"], row["photos"], row["failed"], row["before"], tuple(json.loads(row["kept"])), True
                )
        except ray.exceptions.RayError as error:
            raise InputError(_line(error), key="--engine ray") from None

    return make


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        advice = "pip install 'showtell[ray]'"
        raise InputError(f"needs the package {error.name}", key="--engine ray", advice=advice) from None
    return ray


def _line(error: BaseException) -> str:
    """The line of Ray's long text that names the error; its last line may be advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if ERROR.match(line)), lines[-1] if lines else type(error).__name__)
