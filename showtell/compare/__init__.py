"""Two captioners or more on the same images: who is better, how sure that is, and where each wins most."""

from showtell.compare.comparison import SAME, Comparison, Difference, compare, method
from showtell.compare.runs import compare_runs, to_json

__all__ = ["SAME", "Comparison", "Difference", "compare", "compare_runs", "method", "to_json"]
