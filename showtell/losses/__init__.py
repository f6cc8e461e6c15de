"""Captions -> a number to make smaller. The only place that shifts words against predictions."""
