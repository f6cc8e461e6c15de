"""Captions -> the number that training makes smaller. Only this room shifts words against predictions.

A loss is one file, and one line in the table below.
"""

from showtell.losses.cross_entropy import CrossEntropy
from showtell.losses.loss import Loss
from showtell.losses.self_critical import SelfCritical

LOSSES: dict[str, type[Loss]] = {"cross_entropy": CrossEntropy, "self_critical": SelfCritical}
