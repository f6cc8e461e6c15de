"""Captions -> a number to make smaller. The only place that shifts words against predictions. A loss is one file and
one line here."""

from showtell.losses.cross_entropy import CrossEntropy
from showtell.losses.loss import Loss
from showtell.losses.self_critical import SelfCritical

LOSSES: dict[str, type[Loss]] = {"cross_entropy": CrossEntropy, "self_critical": SelfCritical}
