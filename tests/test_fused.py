"""Trials trained as one reach what each reaches alone: the same mathematics, summed otherwise.

In float64, where the order of sums hardly shows; epochs amplify what is left in float32.
"""

from typing import get_args

import pytest
import torch
from helpers.recipes import TINY

from audiocls.audio.dataset import AudioDataset
from audiocls.models import Model
from audiocls.training import objective
from audiocls.training.fit import EpochEnd, Signal, fit
from audiocls.training.pack import Member, fit_pack
from audiocls.training.packing import obstacle, shape_key

RAW = {"features.name": "raw"}
MODELS = {
    "raw": {**RAW, "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]}},
    "causal": {"model": {"name": "convnext1d_causal", "width": 8, "blocks": 1}},
    "resnet18": {"model": {"name": "resnet18", "width": 4}},
    "resnet18 of maxima": {
        "model": {"name": "resnet18", "width": 4, "blocks": [1, 1, 1, 1], "pool": "mean_max"}
    },
    "efficientnet": {"model": {"name": "efficientnet_b0", "width": 0.25, "depth": 0.35}},
    "convnext2d": {
        "model": {"name": "convnext_tiny", "depths": [1, 1, 1, 1], "widths": [8, 8, 8, 8]}
    },
    "convnext1d": {"model": {"name": "convnext1d", "stem_width": 4, "strides": [2]}},
    "kws": {"model": {"name": "kws"}},
    "hifigan": {**RAW, "model": {"name": "hifigan", "width": 8}},
    "eat": {**RAW, "model": {"name": "eat", "size": "XS", "factors": [4], "dropout": 0.0}},
    "linear": {"model": {"name": "linear"}},
    "mlp": {"model": {"name": "mlp"}},
    "attention": {"model": {"name": "attention"}},
}
FINE_TUNED = {"hf", "timm"}
LONG = {"eat", "hifigan"}
"""Attention and weight norm, which are computed trial by trial."""
SETTINGS = {
    "plain": {},
    "masks": {"augment": {"freq_mask": 4, "time_mask": 6}},
    "moved and equalised": {
        "augment": {"roll": True, "stretch": 0.2, "crop_frames": 20, "equalise": 0.5}
    },
    "sam and clipping": {"sam.rho": 0.05, "train.clip_norm": 0.5},
    "asam": {"sam": {"rho": 0.5, "adaptive": True}},
    "adam": {"optim": {"name": "adam", "weight_decay": 0.01}},
    "sgd": {"optim": {"name": "sgd", "nesterov": True, "weight_decay": 0.01}},
    "one cycle": {"schedule": {"name": "onecycle", "cycle_momentum": [0.85, 0.95]}},
    "ema": {"averaging": {"name": "ema", "every_steps": 1}},
    "accumulated sums": {"train.accumulate": 2, "train.reduction": "sum"},
    "dropout": {"model.dropout": 0.3},
    "focal": {"train.loss": "focal"},
    "smoothed binary": {"train.loss": "bce", "train.label_smoothing": 0.1},
}


@pytest.fixture(autouse=True)
def _double(monkeypatch):
    """Everything that depends on the batch is computed in float64."""
    read = AudioDataset.unaugmented
    monkeypatch.setattr(AudioDataset, "unaugmented", lambda self, clips: read(self, clips).double())
    monkeypatch.setattr(
        objective.ClassObjective,
        "loss",
        lambda self, classifier, features, batch: self.of_logits(classifier.model(features), batch),
    )


BLOCKS = ({"seed": 0}, {"seed": 1, "fold": 2})


def go(end: EpochEnd) -> Signal:
    return Signal.CONTINUE


@pytest.fixture
def trials(tiny_parts):
    """Return trials in float64, of these changes and blocks."""

    def made(changes, blocks=({"seed": 0}, {"seed": 1}, {"seed": 0, "fold": 2})):
        states = [tiny_parts({**changes, **block}) for block in blocks]
        for state in states:
            state.classifier.double()
            object.__setattr__(state, "stored", None)
            steps, epochs = 4, state.config.train.epochs
            average = state.config.averaging.build(state.classifier, epochs, steps)
            object.__setattr__(state, "averaging", average)
        return states

    return made


def assert_alike(alone, packed):
    for one, other in zip(alone, packed, strict=True):
        theirs = other.classifier.state_dict()
        for name, value in one.classifier.state_dict().items():
            torch.testing.assert_close(value, theirs[name], rtol=1e-6, atol=1e-6, msg=name)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_pack_of_seeds_and_folds_is_as_each_alone(trials, setting):
    alone, packed = trials(SETTINGS[setting]), trials(SETTINGS[setting])
    expected = [fit(state, go) for state in alone]
    progresses = fit_pack([Member(state, go) for state in packed])
    assert_alike(alone, packed)
    for one, other in zip(expected, progresses, strict=True):
        assert other.is_complete
        assert (one.steps, one.samples) == (other.steps, other.samples)
        assert one.gradient_passes == other.gradient_passes
        assert other.first_losses == pytest.approx(one.first_losses, rel=1e-6)
        assert other.best_row["val/loss"] == pytest.approx(one.best_row["val/loss"], rel=1e-5)


def test_every_model_is_tried():
    tried = {changes["model"]["name"] for changes in MODELS.values()} | {TINY["model"]["name"]}
    each_names = [
        get_args(kind.model_fields["name"].annotation) for kind in get_args(get_args(Model)[0])
    ]
    assert [names for names in each_names if not {*names} & (tried | FINE_TUNED)] == []


FRONT_ENDS = {"leaf": {"num_filters": 16}, "sincnet": {"num_filters": 16}}


@pytest.mark.parametrize("name", [pytest.param("leaf", marks=pytest.mark.slow), "sincnet"])
def test_learned_front_ends_have_the_first_losses_of_each_alone(tiny_parts, name):
    """They compute in float32 whatever is around them; Adam would blow rounding errors up."""
    changes = {"features": {"name": name, **FRONT_ENDS[name]}, "augment": {"gain_db": 6}}
    changes |= {"optim": {"name": "sgd", "lr": 0.01}}
    alone, packed = ([tiny_parts({**changes, **block}) for block in BLOCKS] for _ in range(2))
    expected = [fit(state, go) for state in alone]
    for one, other in zip(expected, fit_pack([Member(s, go) for s in packed]), strict=True):
        assert other.first_losses[:4] == pytest.approx(one.first_losses[:4], rel=1e-5)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # of attention, weight norm
@pytest.mark.parametrize(
    "model",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in MODELS],
)
def test_other_models_are_as_alone_too(trials, model):
    alone, packed = trials(MODELS[model], BLOCKS), trials(MODELS[model], BLOCKS)
    for state in alone:
        fit(state, go)
    fit_pack([Member(state, go) for state in packed])
    assert_alike(alone, packed)


def test_arms_that_differ_in_numbers_are_as_alone(trials):
    arms = (
        {"optim.lr": 1e-3, "model.dropout": 0.0, "augment": {"time_mask": 5}},
        {"optim.weight_decay": 0.2, "model.dropout": 0.5, "augment": {"time_mask": 9}},
        {
            "train.clip_norm": 0.1,
            "schedule": {"name": "cosine"},
            "augment": {"time_mask": 2, "num_masks": 3},
        },
    )
    alone, packed = trials({}, arms), trials({}, arms)
    assert len({shape_key(state.config.model_dump(mode="json")) for state in packed}) == 1
    for state in alone:
        fit(state, go)
    fit_pack([Member(state, go) for state in packed])
    assert_alike(alone, packed)


@pytest.mark.parametrize(
    "changes",
    [
        {"train.batch_size": 4},
        {"model.channels": [8, 8, 8, 16]},
        {"features.n_mels": 20},
        {"train.label_smoothing": 0.1},
        {"optim": {"name": "sgd"}},
        {"sam.rho": 0.05},
        {"augment.time_mask": 3},
    ],
    ids=str,
)
def test_trials_of_another_shape_have_another_key(tiny_config, changes):
    keys = [shape_key(tiny_config(each).model_dump(mode="json")) for each in ({}, changes)]
    assert keys[0] != keys[1]


def test_a_trial_that_fails_or_stops_leaves_the_others_as_they_would_have_been(trials):
    changes = {"train.epochs": 3}
    [alone, *_], packed = trials(changes), trials(changes)
    fit(alone, go)

    def fail(end: EpochEnd) -> Signal:
        raise ValueError("a full disk")

    def stop(end: EpochEnd) -> Signal:
        return Signal.STOP if end.row["epoch"] == 2 else Signal.CONTINUE

    kept, failed, stopped = fit_pack(
        [Member(state, on) for state, on in zip(packed, (go, fail, stop), strict=True)]
    )
    assert kept.is_complete
    assert isinstance(failed, ValueError)
    assert (stopped.is_complete, stopped.epoch) == (False, 2)
    assert_alike([alone], packed[:1])


def test_a_trial_stopped_in_a_pack_goes_on_alone(trials):
    changes = {"train.epochs": 3, "averaging": {"name": "ema", "every_steps": 1}}
    [alone, *_], packed, [resumed, *_] = (trials(changes) for _ in range(3))
    fit(alone, go)
    snapshots = []

    def stop(end: EpochEnd) -> Signal:
        snapshots.append(end.snapshot())
        return Signal.STOP

    fit_pack([Member(state, stop) for state in packed])
    fit(resumed, go, snapshots[0])
    assert_alike([alone], [resumed])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"train.precision": "fp16"}, "fp16"),
        ({"train.precision": "bf16"}, "bf16"),
        ({**RAW, "model": {"name": "eat", "size": "XS", "factors": [4]}}, "attention"),
        ({"augment": {"mixes": ["mixup"], "mix_p": 0.5, "draw_per": "batch"}}, "mix_p"),
        ({"model": {"name": "timm", "model": "./tiny"}}, "rates and epochs of their own"),
    ],
    ids=["packs", "fp16", "bf16", "attention's dropout", "mixed at random", "fine-tuned"],
)
def test_what_cannot_be_packed_says_why(tiny_config, changes, said):
    reason = obstacle(tiny_config(changes))
    assert said in reason
    assert bool(reason) == bool(said)
