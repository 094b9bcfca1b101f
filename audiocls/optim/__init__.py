"""Optimisers, learning-rate schedules, SAM and weight averages: their options (torch-free).

The unions `Optim`, `Schedule` and `Averaging` are the registries.
"""

from typing import Annotated

from pydantic import Field

from audiocls.optim.averaging import Ema, NoAveraging, Swa
from audiocls.optim.optimizers import SGD, Adam, AdamW, Sam
from audiocls.optim.schedules import Constant, Cosine, OneCycle, Plateau, Step

Optim = Annotated[AdamW | Adam | SGD, Field(discriminator="name")]

Schedule = Annotated[Constant | Cosine | OneCycle | Step | Plateau, Field(discriminator="name")]

Averaging = Annotated[NoAveraging | Ema | Swa, Field(discriminator="name")]

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Averaging",
    "Constant",
    "Cosine",
    "Ema",
    "NoAveraging",
    "OneCycle",
    "Optim",
    "Plateau",
    "Sam",
    "Schedule",
    "Step",
    "Swa",
]
