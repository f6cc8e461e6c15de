"""A data set of drawn scenes with captions; it needs no download."""
