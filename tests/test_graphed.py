"""A graphed step computes what each trial computes alone, to the bit, however many there are.

On a CPU a tape stands in for the graph (helpers/tape.py): as in a graph, Python runs at the capture
alone. Rates have the type that eager kernels on a CPU read the host's as, so that nothing is
rounded differently.
"""

from functools import partial

import pytest
import torch
from helpers.tape import TapeBranches

from audiocls.audio.batches import batch_spans, epoch_batches
from audiocls.optim.schedules import rates
from audiocls.training.fit import EpochEnd, Signal, fit
from audiocls.training.fused import FusedStep
from audiocls.training.graphed import GraphedStep
from audiocls.training.pack import Member, fit_pack
from audiocls.training.packing import graph_obstacle, obstacle

SETTINGS = {
    "plain": {},
    "masks and dropout": {"augment": {"freq_mask": 4, "time_mask": 6}, "model.dropout": 0.3},
    "sam and clipping": {"sam.rho": 0.05, "train.clip_norm": 0.5},
    "asam": {"sam": {"rho": 0.5, "adaptive": True}},
    "adam, one cycle": {"optim": {"name": "adam"}, "schedule": {"name": "onecycle"}},
    "sgd": {"optim": {"name": "sgd", "nesterov": True, "weight_decay": 0.01}},
    "lars": {"optim": {"name": "lars", "lr": 0.5}, "schedule.name": "cosine"},
    "ema": {"averaging": {"name": "ema", "every_steps": 1}},
    "swa": {"averaging": {"name": "swa", "start": 0.5}},
    "two batches a step": {"train.accumulate": 2, "train.reduction": "sum"},
    "mixed": {"augment": {"mixes": ["mixup"], "mix_p": 0.5, "draw_per": "batch"}},
    "moved and equalised": {
        "augment": {"roll": True, "stretch": 0.2, "crop_frames": 20, "equalise": 0.5}
    },
    "ResNet of maxima": {
        "model": {"name": "resnet18", "width": 4, "blocks": [1, 1, 1, 1], "pool": "mean_max"}
    },
    "bf16": {"train.precision": "bf16"},
    "learned front end": {"features": {"name": "leaf"}, "augment": {"time_mask": 3}},
    "SincNet": {"features": {"name": "sincnet", "num_filters": 8}},
    "raw, all random": {
        "features": {"name": "raw"},
        "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]},
        "augment": {
            "crop": "random",
            "transforms": ["amp", "neg", "tshift"],
            "noises": ["pink", "phase"],
            "mixes": ["mixup", "freqmix"],
        },
    },
}
graphed = partial(GraphedStep, open_on=TapeBranches)


def go(end: EpochEnd) -> Signal:
    return Signal.CONTINUE


@pytest.fixture
def state_of(tiny_parts):
    """Return a trial of three epochs with batches of 8 and 7 clips, of these changes."""
    return lambda changes: tiny_parts({"train.epochs": 3, "optim.lr": 0.01, **changes})


def assert_same(one, other):
    theirs = other.classifier.state_dict()
    for name, value in one.classifier.state_dict().items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_graph_computes_what_single_operations_do(state_of, setting):
    eager, captured = state_of(SETTINGS[setting]), state_of(SETTINGS[setting])
    expected = fit(eager, go)
    is_rounded = eager.config.optim.name == "lars"
    dtype = torch.float32 if is_rounded else torch.float64
    form = partial(GraphedStep, open_on=partial(TapeBranches, rate_dtype=dtype))
    progress = fit(captured, go, form=form)
    assert (progress.executions, progress.steps) == (["graph"], expected.steps)
    assert progress.first_losses == expected.first_losses
    assert_same(eager, captured)


def test_how_many_branches_there_are_changes_no_bit(state_of):
    arms = (
        {"seed": 0, "model.dropout": 0.3},
        {"seed": 1, "model.dropout": 0.1, "optim.lr": 0.02},
        {"seed": 0, "fold": 2, "model.dropout": 0.3, "train.clip_norm": 0.1},
    )
    alone, packed = [state_of(arm) for arm in arms], [state_of(arm) for arm in arms]
    for state in alone:
        fit(state, go, form=graphed)
    outcomes = fit_pack([Member(state, go) for state in packed], graphed)
    assert all(outcome.largest_pack == 3 for outcome in outcomes)
    for one, other in zip(alone, packed, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("setting", ["masks and dropout", "sam and clipping", "cyclic momentum"])
def test_fused_trials_are_the_same_in_a_graph(state_of, setting):
    cyclic = {"schedule": {"name": "onecycle", "cycle_momentum": [0.85, 0.95]}}
    changes = SETTINGS.get(setting, cyclic)
    one, other = ([state_of({**changes, "seed": seed}) for seed in (0, 1)] for _ in range(2))
    fit_pack([Member(state, go) for state in one], FusedStep)
    in_graph = partial(FusedStep, open_on=TapeBranches)
    outcomes = fit_pack([Member(state, go) for state in other], in_graph)
    assert [outcome.executions for outcome in outcomes] == [["fused graph"]] * 2
    for single, graph in zip(one, other, strict=True):
        assert_same(single, graph)


def test_a_trial_that_leaves_changes_no_bit_and_goes_on_alone(state_of):
    [alone, *packed, resumed] = [state_of({"seed": seed}) for seed in (0, 0, 1, 0)]
    fit(alone, go, form=graphed)
    snapshots = []

    def stop(end: EpochEnd) -> Signal:
        snapshots.append(end.snapshot())
        return Signal.STOP

    kept, stopped = fit_pack(
        [Member(state, on) for state, on in zip(packed, (stop, go), strict=True)], graphed
    )
    assert (kept.is_complete, stopped.is_complete) == (False, True)
    fit(resumed, go, snapshots[0], form=graphed)
    assert_same(alone, resumed)


def test_each_size_of_batch_is_captured_once(state_of):
    made = []

    def counted(num, device):
        made.append(TapeBranches(num, device))
        return made[-1]

    state = state_of({})
    fit(state, go, form=partial(GraphedStep, open_on=counted))
    count = epoch_batches(len(state.split.train), 8, drops_last=False)
    sizes = {stop - start for start, stop in batch_spans(len(state.split.train), count)}
    assert [each.num_captures for each in made] == [len(sizes)] == [2]


@pytest.mark.parametrize("name", ["constant", "cosine", "exponential", "onecycle"])
def test_rates_of_an_epoch_are_known_before_it(state_of, name):
    changes = {"schedule": {"name": name}, "averaging": {"name": "swa", "start": 0.5}}
    ahead, along = state_of(changes), state_of(changes)
    seen = []
    for _ in range(2 * along.epoch_steps):
        seen.append(rates(along.optimizer))
        along.optimizer._opt_called = True
        along.schedule.step()
    assert ahead.ahead(rates) + ahead.ahead(rates) == seen
    assert ahead.schedule.state_dict() == along.schedule.state_dict()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"optim": {"name": "lars"}}, ""),
        ({"train.precision": "fp16"}, "fp16"),
        ({"schedule": {"name": "onecycle", "cycle_momentum": [0.85, 0.95]}}, "cycle_momentum"),
        ({"augment.feature_mixup": 0.3}, "feature_mixup"),
    ],
    ids=["plain", "lars", "fp16", "momentum", "feature mixup"],
)
def test_what_is_no_graph_says_why(tiny_config, changes, said):
    reasons = graph_obstacle(tiny_config(changes)), obstacle(tiny_config(changes), "graph")
    assert all(said in reason and bool(reason) == bool(said) for reason in reasons)
