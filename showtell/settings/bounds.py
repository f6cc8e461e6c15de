"""What an option may be, if its type does not say enough."""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]  # what an option may be, where its type alone says too little
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
