"""Ranges of numbers that many options share, as types for the signatures of parts."""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]  # never 1: a dropout of 1 drops everything
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
