"""Equalities that `gpu.py` checks on a device before it times anything there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from unittest.mock import patch

import torch
from gpu_trials import Changes, Steps, Workbench
from torch import Tensor

from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.dataset import AudioDataset
from audiocls.training.fit import EpochEnd, Signal, fit
from audiocls.training.fused import FusedStep
from audiocls.training.graphed import GraphedStep
from audiocls.training.objective import ClassObjective
from audiocls.training.pack import Member, fit_pack
from audiocls.training.state import TrainingState
from audiocls.training.step import EagerStep, StepForm

Weights = dict[str, Tensor]
ARMS: tuple[Changes, ...] = (
    {"seed": 0, "model.dropout": 0.3},
    {"seed": 1, "model.dropout": 0.1, "optim.lr": 2**-7},
    {"seed": 0, "fold": 2, "model.dropout": 0.3},
)
VARIANTS: dict[str, Changes] = {
    "plain": {},
    "masks, dropout": {"augment": {"freq_mask": 4, "time_mask": 6}, "model.dropout": 0.3},
    "SAM, clipping": {"sam.rho": 0.0625, "train.clip_norm": 0.5},
    "SGD, EMA": {"optim": {"name": "sgd", "lr": 2**-6}, "averaging.name": "ema"},
    "bf16": {"train.precision": "bf16"},
}


@dataclass(frozen=True)
class Check:
    """What has to be equal, and what computes how far apart it is."""

    what: str
    difference: Callable[[], float]
    allowed: float = 0.0


def checks(bench: Workbench) -> Iterator[Check]:
    """Yield what has to be equal on the device."""
    graphed = partial(GraphedStep, open_on=bench.open_on)
    forms = {"eager": EagerStep, "graph": graphed}

    @cache
    def weights(name: str, form: str, _: int = 1) -> Weights:
        return _trained(bench, VARIANTS[name], forms[form])

    def apart(name: str, *runs: tuple[str, int]) -> float:
        return _apart(*(weights(name, *run) for run in runs))

    yield Check("random numbers: device and CPU", lambda: _draws(bench.device))
    yield Check("first losses in float32: device and CPU, relative", lambda: _losses(bench), 1e-4)
    for name in VARIANTS:
        first, second = ("eager", 1), ("graph", 1)
        yield Check(f"eager, repeated: {name}", partial(apart, name, first, ("eager", 2)))
        yield Check(f"graph and eager: {name}", partial(apart, name, first, second))
        yield Check(f"graph, repeated: {name}", partial(apart, name, second, ("graph", 2)))
    yield Check("3 branches and one", lambda: _branches(bench, graphed))
    yield Check("fused and alone, float64", lambda: _fused(bench), 1e-6)
    in_graph = partial(FusedStep, open_on=bench.open_on)
    yield Check("fused in a graph and fused", lambda: _fused_forms(bench, in_graph))
    if bench.device.type == "cuda":
        for name, form in forms.items():
            yield Check(f"waits of a step: {name}", partial(_waits, bench, form))


def _branches(bench: Workbench, form: StepForm) -> float:
    packed = _packed(bench, ARMS, form)
    return max(map(_apart, packed, [_trained(bench, arm, form) for arm in ARMS]))


def _fused(bench: Workbench) -> float:
    blocks = ({"seed": 0}, {"seed": 1, "fold": 2})
    with _in_float64():
        together = _packed(bench, blocks, FusedStep, _doubled)
        return max(map(_apart, together, [_trained(bench, b, EagerStep, _doubled) for b in blocks]))


def _fused_forms(bench: Workbench, in_graph: StepForm) -> float:
    packs = (_packed(bench, ARMS[:2], form) for form in (FusedStep, in_graph))
    return max(map(_apart, *packs))


def _draws(device: torch.device) -> float:
    clips = torch.arange(64) * 2**57 - 2**62
    here, there = ClipRNG(7, clips), ClipRNG(7, clips, device=device)
    whole = torch.equal(here.integers("n", 2**20 + 1, 5), there.integers("n", 2**20 + 1, 5).cpu())
    uniform = (here.uniform("u", 5) - there.uniform("u", 5).cpu()).abs().max()
    return float(uniform) + float(not whole)


def _losses(bench: Workbench) -> float:
    """Return the largest relative difference of the first losses, TF32 off."""
    host = Workbench(torch.device("cpu"), bench.cache, bench.is_small)
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        pairs = [fit(each.tiny({}), _go).first_losses for each in (host, bench)]
    return max(abs(one - other) / abs(one) for one, other in zip(*pairs, strict=True))


def _trained(
    bench: Workbench,
    changes: Changes,
    form: StepForm,
    prepare: Callable[[TrainingState], None] = lambda state: None,
) -> Weights:
    """Return the last weights of a trial, of its average if it has one."""
    state = bench.tiny(changes)
    prepare(state)
    fit(state, _go, form=form)
    return state.evaluated().state_dict()


def _packed(
    bench: Workbench,
    arms: tuple[Changes, ...],
    form: StepForm,
    prepare: Callable[[TrainingState], None] = lambda state: None,
) -> list[Weights]:
    states = [bench.tiny(arm) for arm in arms]
    for state in states:
        prepare(state)
    members = [Member(state, _go) for state in states]
    for outcome in fit_pack(members, form):
        if isinstance(outcome, Exception):
            raise outcome
    return [state.evaluated().state_dict() for state in states]


def _apart(one: Weights, other: Weights) -> float:
    """Return the largest difference of two networks' weights and statistics."""
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


@contextmanager
def _in_float64() -> Iterator[None]:
    """Compute everything that depends on the batch in float64."""
    read = AudioDataset.unaugmented
    doubled = patch.object(AudioDataset, "unaugmented", lambda *given: read(*given).double())
    exact = patch.object(
        ClassObjective,
        "loss",
        lambda self, network, inputs, batch: self.of_logits(network.model(inputs), batch),
    )
    with doubled, exact:
        yield


def _doubled(state: TrainingState) -> None:
    state.classifier.double()
    object.__setattr__(state, "stored", None)


def _waits(bench: Workbench, form: StepForm) -> float:
    """Return 0 if the steps of an epoch wait for nothing; torch raises at the first that does."""
    steps = Steps(bench, [bench.tiny({"augment": {"time_mask": 6}})], form)
    steps.warm_up()
    torch.cuda.set_sync_debug_mode("error")
    try:
        steps.take()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return 0.0


def _go(end: EpochEnd) -> Signal:
    return Signal.CONTINUE
