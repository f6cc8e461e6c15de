"""Counters and gauges in Prometheus' text form: `showtell_photos_total{model="tiny"} 12`."""

from collections import Counter
from collections.abc import Mapping

HELP = {
    "requests": "Requests by route and status.",
    "photos": "Photos captioned.",
    "batches": "Batches that the model captioned.",
    "skipped": "Photos dropped before their batch, because the client left or its time was over.",
    "model_seconds": "Seconds that the model worked.",
}


class Metrics:
    """Counts since the start. Only the event loop's thread writes them."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        self.counts[name, tuple(sorted(labels.items()))] += amount  # type: ignore[assignment]  # seconds are floats

    def total(self, name: str) -> float:
        return sum(amount for (each, _), amount in self.counts.items() if each == name)

    def text(self, now: Mapping[str, float]) -> str:
        """All counters, then the gauges `now`."""
        lines = []
        for name, meaning in HELP.items():
            lines += [f"# HELP showtell_{name}_total {meaning}", f"# TYPE showtell_{name}_total counter"]
            for (each, labels), amount in sorted(self.counts.items()):
                if each == name:
                    inside = ",".join(f'{label}="{value}"' for label, value in labels)
                    lines.append(
                        f"showtell_{name}_total{{{inside}}} {amount:g}"
                        if inside
                        else f"showtell_{name}_total {amount:g}"
                    )
        for name, value in now.items():
            lines += [f"# TYPE showtell_{name} gauge", f"showtell_{name} {value:g}"]
        return "\n".join(lines) + "\n"
