"""Optimisers, learning-rate schedules, SAM and weight averages: their options (torch-free).

The unions `Optim`, `Schedule` and `Averaging` are the registries.
"""

from typing import Annotated

from pydantic import Field

from audiocls.optim.averaging import Ema, NoAveraging, Swa
from audiocls.optim.optimizers import LARS, SGD, Adam, AdamW, Sam
from audiocls.optim.own import OwnOptim, OwnSchedule
from audiocls.optim.schedules import Constant, Cosine, Exponential, OneCycle, Plateau, Step
from audiocls.parts import OrOwn

Optim = Annotated[AdamW | Adam | SGD | LARS, Field(discriminator="name"), OrOwn(OwnOptim)]

Schedule = Annotated[
    Constant | Cosine | OneCycle | Step | Plateau | Exponential,
    Field(discriminator="name"),
    OrOwn(OwnSchedule),
]

Averaging = Annotated[NoAveraging | Ema | Swa, Field(discriminator="name")]

__all__ = [
    "LARS",
    "SGD",
    "Adam",
    "AdamW",
    "Averaging",
    "Constant",
    "Cosine",
    "Ema",
    "Exponential",
    "NoAveraging",
    "OneCycle",
    "Optim",
    "OwnOptim",
    "OwnSchedule",
    "Plateau",
    "Sam",
    "Schedule",
    "Step",
    "Swa",
]
