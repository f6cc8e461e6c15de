"""Ranges of numbers that many options share, as types for the signatures of parts.

The upper ends are far beyond anything useful: a larger number is a typing mistake, which would fill the memory.
"""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Size = Annotated[int, Field(ge=1, le=65_536)]  # numbers in a vector
Layers = Annotated[int, Field(ge=1, le=256)]
Side = Annotated[int, Field(ge=1, le=4096)]  # pixels
Share = Annotated[float, Field(ge=0, lt=1)]  # never 1: a dropout of 1 drops everything
Positive = Annotated[float, Field(gt=0, le=1e30, allow_inf_nan=False)]
Rate = Positive
