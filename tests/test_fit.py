"""The training loop: repeatable, resumable, blind to the test clips, fair between arms."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from audiocls.audio.augment.spec_augment import Masks
from audiocls.audio.batches import Batch, Batching, scoring_batches, training_batches
from audiocls.audio.dataset import num_batches
from audiocls.config import Config
from audiocls.errors import DataError
from audiocls.training import step as step_module
from audiocls.training.checkpoint import weights_of
from audiocls.training.fit import Diverged, EpochEnd, Signal, fit
from audiocls.training.progress import Progress
from audiocls.training.score import Scores, score
from audiocls.training.state import TrainingState, build

MakeParts = Callable[..., TrainingState]
Row = dict[str, float]

SETTINGS = {
    "plain": {},
    "sam": {"sam.rho": 0.05, "train.clip_norm": 1.0},
    "dropout": {"model.dropout": 0.4},
    "onecycle": {"schedule": {"name": "onecycle", "cycle_momentum": [0.85, 0.95]}},
    "cosine and momentum": {"schedule.name": "cosine", "optim.name": "sgd"},
    "wave augmentation": {"augment": {"gain_db": 6, "shift_s": 0.05, "crop": "random"}},
    "masks": {"augment": {"freq_mask": 4, "time_mask": 4}},
    "bf16": {"train.precision": "bf16"},
    "raw": {
        "features.name": "raw",
        "model": {"name": "convnext1d", "stem_width": 4, "strides": [4], "dropout": 0.2},
    },
    "fp16": {"train.precision": "fp16"},
    "accumulated": {"train.accumulate": 3},
    "full batches": {"train.drop_last": True, "train.reduction": "sum"},
    "balanced": {"train.balanced": True},
    "plateau": {"schedule": {"name": "plateau", "patience": 0}, "train.select": "val/loss"},
    "ema": {"averaging": {"name": "ema", "every_steps": 1}},
    "ema by epochs": {"averaging": {"name": "ema", "decay_per": "epoch", "every_steps": 3}},
    "swa": {"averaging.name": "swa"},
    "mixed": {"augment": {"mixes": ["mixup", "timemix"], "mix_from_epoch": 1}},
    "bce": {"train.loss": "bce", "augment.mixes": ["mixup"]},
    "input batch norm": {
        "features": {"name": "raw", "normalise": "batch_norm"},
        "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]},
    },
    "everything": {
        "sam.rho": 0.05,
        "model.dropout": 0.2,
        "schedule.name": "onecycle",
        "augment": {"gain_db": 6, "freq_mask": 4},
        "train.label_smoothing": 0.1,
    },
}


def go(end: EpochEnd) -> Signal:
    return Signal.CONTINUE


def timeless(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != "seconds"}


class Diary:
    """Keeps each epoch's row and snapshot; stops after epoch `stop`."""

    def __init__(self, stop: int = 0):
        self.rows: list[Row] = []
        self.snapshots: list[bytes] = []
        self._stop = stop

    def __call__(self, end: EpochEnd) -> Signal:
        self.rows.append(timeless(end.row))
        self.snapshots.append(end.snapshot())
        return Signal.STOP if end.row["epoch"] == self._stop else Signal.CONTINUE


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_trial_stopped_and_resumed_equals_one_that_was_not_to_the_bit(
    tiny_parts: MakeParts, setting: str
):
    changes = {**SETTINGS[setting], "train.epochs": 3}
    whole, whole_diary = tiny_parts(changes), Diary()
    expected = fit(whole, whole_diary)
    for stop in (1, 2):
        before = Diary(stop)
        assert not fit(tiny_parts(changes), before).is_complete
        assert len(before.rows) == stop
        resumed, after = tiny_parts(changes), Diary()
        progress = fit(resumed, after, before.snapshots[-1])
        assert before.rows + after.rows == whole_diary.rows
        assert weights_of(resumed.classifier) == weights_of(whole.classifier)
        assert timeless(progress.best_row) == timeless(expected.best_row)
        assert (progress.epoch, progress.steps, progress.samples, progress.gradient_passes) == (
            expected.epoch,
            expected.steps,
            expected.samples,
            expected.gradient_passes,
        )


def test_a_trial_killed_after_its_last_epoch_only_has_to_be_scored(tiny_parts: MakeParts):
    diary = Diary()
    whole = tiny_parts()
    fit(whole, diary)
    again = tiny_parts()
    progress = fit(again, lambda end: pytest.fail("trained again"), diary.snapshots[-1])
    assert progress.is_complete
    assert weights_of(again.classifier) == weights_of(whole.classifier)


def test_a_stop_in_the_last_epoch_is_an_end(tiny_parts: MakeParts):
    assert fit(tiny_parts(), Diary(stop=2)).is_complete


def test_a_snapshot_says_how_many_epochs_it_has_behind_it(tiny_parts: MakeParts):
    diary = Diary()
    fit(tiny_parts(), diary)
    assert [Progress.num_epochs_of(snapshot) for snapshot in diary.snapshots] == [1, 2]


def test_a_snapshot_holds_no_code_and_no_sound(tiny_parts: MakeParts):
    diary = Diary()
    parts = tiny_parts()
    fit(parts, diary)
    content = torch.load(io.BytesIO(diary.snapshots[0]), weights_only=True)
    assert set(content) == {
        "progress",
        "classifier",
        "optimizer",
        "schedule",
        "averaging",
    }
    num_weights = sum(p.numel() for p in parts.classifier.parameters())
    assert len(diary.snapshots[0]) < 10 * 4 * num_weights + 50_000


def scored(parts: TrainingState, clips) -> Scores:
    return score(parts.classifier, parts.dataset, clips, parts.config.train)


def trained(parts: TrainingState) -> tuple[bytes, dict[str, float], Tensor]:
    progress = fit(parts, go)
    test = scored(parts, parts.split.test)
    return weights_of(parts.classifier), timeless(progress.best_row), test.logits


def test_the_same_trial_twice_has_the_same_metrics_bit_for_bit(tiny_parts: MakeParts):
    one, other = (trained(tiny_parts(SETTINGS["everything"])) for _ in range(2))
    assert one[:2] == other[:2]
    assert torch.equal(one[2], other[2])


def test_what_was_drawn_before_a_trial_does_not_matter(tiny_parts: MakeParts):
    """A worker's tenth trial equals its first."""
    expected = trained(tiny_parts(SETTINGS["everything"]))[0]
    torch.rand(1000)
    np.random.rand(1000)
    fit(tiny_parts({"model.dropout": 0.5, "seed": 3}), go)
    assert trained(tiny_parts(SETTINGS["everything"]))[0] == expected


@pytest.mark.parametrize("key", ["seed", "fold"])
def test_another_block_is_another_training(tiny_parts: MakeParts, key: str):
    assert trained(tiny_parts())[0] != trained(tiny_parts({key: 2}))[0]


def test_test_clips_never_influence_training(tiny_parts: MakeParts):
    """Neither their labels nor their sound: permuted and replaced by noise, nothing changes."""
    parts = tiny_parts()
    expected = trained(parts)[:2]
    fresh, test = tiny_parts(), torch.from_numpy(parts.split.test)
    targets = fresh.dataset.targets.clone()
    targets[test] = targets[test].roll(1)
    features = np.array(fresh.dataset.features)
    features[parts.split.test] = np.random.default_rng(0).normal(size=features[test].shape)
    sounds = replace(fresh.dataset, targets=targets, features=features)
    assert trained(build(fresh.config, sounds))[:2] == expected


def test_standardisation_is_of_the_training_clips_alone(tiny_parts: MakeParts):
    parts = tiny_parts()
    standardised = parts.classifier.standardise(parts.dataset.unaugmented(parts.split.train))
    torch.testing.assert_close(standardised.mean((0, 2)), torch.zeros(16), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        standardised.std((0, 2), correction=0), torch.ones(16), atol=1e-3, rtol=0
    )


class Told:
    """An objective that is told what validation says."""

    def __init__(self, parts: TrainingState, validation: Sequence[tuple[float, float]]):
        self.loss = parts.objective.loss
        self._answers = iter(validation)

    def validate(self, *_: object) -> dict[str, float]:
        accuracy, loss = next(self._answers)
        return {"val/accuracy": accuracy, "val/loss": loss}


def chosen_epoch(
    parts: TrainingState, validation: Sequence[tuple[float, float]]
) -> tuple[float, int]:
    """Train with these validation (accuracy, loss)es: the best row's epoch, and how many were."""
    progress = fit(replace(parts, objective=Told(parts, validation)), go)
    return progress.best_row["epoch"], progress.epoch


def chosen(parts: TrainingState, validation: Sequence[tuple[float, float]]) -> tuple[float, int]:
    """Train with these validation (accuracy, loss)es: the best row's epoch, and whose weights."""
    parts = replace(parts, objective=Told(parts, validation))
    weights: list[bytes] = []

    def on_epoch(end: EpochEnd) -> Signal:
        weights.append(weights_of(parts.classifier))
        return Signal.CONTINUE

    progress = fit(parts, on_epoch)
    return progress.best_row["epoch"], weights.index(weights_of(parts.classifier)) + 1


@pytest.mark.parametrize(
    ("select", "validation", "epoch"),
    [
        ("val/accuracy", [(0.2, 2.0), (0.5, 2.0), (0.4, 1.0)], 2),
        ("val/accuracy", [(0.5, 2.0), (0.5, 1.0), (0.5, 1.5)], 2),
        ("val/accuracy", [(0.5, 1.0), (0.5, 1.0), (0.5, 1.0)], 1),
        ("val/loss", [(0.9, 2.0), (0.5, 1.5), (0.1, 1.0)], 3),
        ("val/loss", [(0.1, 1.0), (0.9, 1.0), (0.9, 2.0)], 1),
        ("last", [(0.9, 0.1), (0.9, 0.1), (0.1, 9.0)], 3),
    ],
    ids=["best", "tie to lower loss", "tie to first", "loss", "loss tie to first", "last"],
)
def test_the_epoch_is_chosen_on_validation_and_its_weights_are_kept(
    tiny_parts: MakeParts, select, validation, epoch
):
    parts = tiny_parts({"train.select": select, "train.epochs": 3})
    assert chosen(parts, validation) == (epoch, epoch)


def test_once_weights_are_averaged_only_averages_are_chosen_from(tiny_parts: MakeParts):
    parts = tiny_parts({"averaging": {"name": "swa", "start": 0.5}, "train.epochs": 4})
    falling = [(0.9, 1.0), (0.8, 1.0), (0.7, 1.0), (0.6, 1.0)]
    epoch, _ = chosen_epoch(parts, falling)
    assert epoch == 3  # the best of all was the first, before any average


def test_patience_waits_for_the_average_that_was_asked_for(tiny_parts: MakeParts):
    changes = {"averaging": {"name": "swa", "start": 0.5}, "train.epochs": 6, "train.patience": 1}
    falling = [(0.9 - 0.1 * i, 1.0) for i in range(6)]
    epoch, num_epochs = chosen_epoch(tiny_parts(changes), falling)
    assert (epoch, num_epochs) == (4, 5)


def test_what_is_scored_in_training_is_the_validation_clips(tiny_parts: MakeParts):
    parts = tiny_parts()
    seen = []

    class Spied:
        loss = parts.objective.loss

        def validate(self, classifier, sounds, clips) -> dict[str, float]:
            seen.append(clips)
            return parts.objective.validate(classifier, sounds, clips)

    fit(replace(parts, objective=Spied()), go)
    assert len(seen) == 2
    assert all(np.array_equal(clips, parts.split.val) for clips in seen)


def batches_of(parts: TrainingState, epoch: int = 0) -> list[Batch]:
    seed = parts.seed("order", epoch)
    return list(training_batches(parts.dataset, parts.split.train, parts.batching, epoch, seed))


def order_of(parts: TrainingState, epoch: int = 0) -> list[int]:
    return torch.cat([batch.draws.clips for batch in batches_of(parts, epoch)]).tolist()


ARMS = [
    {"model.dropout": 0.5},
    {"sam.rho": 0.1},
    {"optim.lr": 0.1},
    {"train.label_smoothing": 0.2},
    {"augment": {"freq_mask": 3}},
]


@pytest.mark.parametrize("changes", ARMS, ids=lambda changes: next(iter(changes)))
def test_arms_of_one_block_share_initialisation_and_order(tiny_parts: MakeParts, changes):
    base, arm = tiny_parts(), tiny_parts(changes)
    assert weights_of(base.classifier) == weights_of(arm.classifier)
    for epoch in (0, 1):
        pairs = zip(batches_of(base, epoch), batches_of(arm, epoch), strict=True)
        for batch, other in pairs:
            assert torch.equal(batch.inputs, other.inputs)
            assert torch.equal(batch.targets, other.targets)


def test_arms_that_augment_the_wave_still_share_the_order(tiny_parts: MakeParts):
    base, arm = tiny_parts(), tiny_parts({"augment": {"gain_db": 6, "shift_s": 0.1}})
    assert order_of(base) == order_of(arm)


@pytest.mark.parametrize("key", ["seed", "fold"])
def test_blocks_share_neither(tiny_parts: MakeParts, key):
    base, other = tiny_parts(), tiny_parts({key: 2})
    assert not torch.equal(base.classifier.model.head.weight, other.classifier.model.head.weight)
    assert order_of(base) != order_of(other)


def test_each_epoch_has_an_order_of_its_own(tiny_parts: MakeParts):
    assert len({tuple(order_of(tiny_parts(), epoch)) for epoch in range(3)}) == 3


@pytest.mark.parametrize("batch_size", [1, 7, 8, 16, 29, 30, 31, 1000])
def test_batches_cover_each_clip_once_and_differ_in_size_by_at_most_one(
    tiny_parts: MakeParts, batch_size: int
):
    parts = tiny_parts()
    clips = parts.split.train
    marked = replace(parts.dataset, targets=torch.arange(len(parts.dataset.targets)))
    batching = Batching(batch_size)
    for batches in (
        [batch.targets for batch in training_batches(marked, clips, batching, 0, 3)],
        [targets for _, targets in scoring_batches(marked, clips, batch_size)],
    ):
        sizes = [len(targets) for targets in batches]
        assert sorted(torch.cat(batches).tolist()) == clips.tolist()
        assert max(sizes) <= batch_size
        assert max(sizes) - min(sizes) <= 1
        assert len(sizes) == num_batches(len(clips), batch_size)


def test_each_epoch_draws_its_own_masks_and_each_trial_of_a_block_the_same(
    tiny_parts: MakeParts, monkeypatch
):
    """Told of constant features, SpecAugment's masks are where they became 0."""
    drawn: list[Tensor] = []
    real = step_module.masked

    def spied(features: Tensor, masks: Masks, fill: None) -> Tensor:
        drawn.append(real(torch.ones_like(features), masks))
        return features

    monkeypatch.setattr(step_module, "masked", spied)
    for changes in ({}, {"model.dropout": 0.3}):
        fit(tiny_parts({"augment": {"freq_mask": 6, "time_mask": 8}, **changes}), go)
    num_steps = 4
    one, two, *other_arm = (
        torch.cat(drawn[i : i + num_steps]) for i in range(0, len(drawn), num_steps)
    )
    assert not torch.equal(one, two)
    assert torch.equal(one, other_arm[0])
    assert torch.equal(two, other_arm[1])


def test_scoring_keeps_the_clips_own_order(tiny_parts: MakeParts):
    parts = tiny_parts({"train.batch_size": 3})
    scores = scored(parts, parts.split.test)
    assert torch.equal(scores.targets, parts.dataset.targets[parts.split.test])
    assert scores.logits.shape == (10, 10)


def test_scoring_draws_nothing_and_changes_nothing(tiny_parts: MakeParts):
    parts = tiny_parts(SETTINGS["everything"])
    before = weights_of(parts.classifier)
    one, other = (scored(parts, parts.split.val) for _ in range(2))
    assert torch.equal(one.logits, other.logits)
    assert weights_of(parts.classifier) == before


def test_metrics_are_the_share_of_right_answers_and_the_mean_cross_entropy():
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    scores = Scores(logits, torch.tensor([0, 1, 1, 0]))
    expected = -torch.log_softmax(logits, 1)[torch.arange(4), scores.targets].mean()
    assert scores.test()["test/accuracy"] == 0.75  # a tie is the first class
    assert scores.test()["test/loss"] == pytest.approx(float(expected))


def test_costs_are_counted(tiny_parts: MakeParts):
    plain = fit(tiny_parts({"train.epochs": 3}), go)
    assert (plain.epoch, plain.steps, plain.samples) == (3, 3 * 4, 3 * 30)
    assert plain.gradient_passes == plain.steps
    assert plain.wall_s > 0
    sharp = fit(tiny_parts({"train.epochs": 3, "sam.rho": 0.1}), go)
    assert (sharp.steps, sharp.gradient_passes) == (plain.steps, 2 * plain.steps)


def test_rows_say_epoch_losses_accuracy_and_rate(tiny_parts: MakeParts):
    diary = Diary()
    fit(tiny_parts({"schedule": {"name": "step", "every_epochs": 1, "gamma": 0.5}}), diary)
    assert [row["epoch"] for row in diary.rows] == [1.0, 2.0]
    assert [row["lr"] for row in diary.rows] == pytest.approx([3e-3, 1.5e-3])
    assert set(diary.rows[0]) == {
        "epoch",
        "train/loss",
        "train/grad_norm",
        "val/accuracy",
        "val/loss",
        "lr",
    }


ONE_STEP = {
    "optim": {"name": "sgd", "lr": 1.0, "momentum": 0.0},
    "train.batch_size": 1000,
    "train.epochs": 1,
}
"""A step of SGD at rate 1 moves all weights together by the norm of the gradient."""


@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_the_gradient_norm_told_is_that_of_the_update_before_clipping(tiny_parts: MakeParts, rho):
    parts = tiny_parts({**ONE_STEP, "sam.rho": rho})
    before, free = [p.detach().clone() for p in parts.classifier.parameters()], Diary()
    fit(parts, free)
    moved = [p - q for p, q in zip(parts.classifier.parameters(), before, strict=True)]
    norm = torch.cat([m.flatten() for m in moved]).norm().item()
    assert free.rows[0]["train/grad_norm"] == pytest.approx(norm, rel=1e-4)
    clipped = Diary()
    fit(tiny_parts({**ONE_STEP, "sam.rho": rho, "train.clip_norm": norm / 100}), clipped)
    assert clipped.rows[0]["train/grad_norm"] == free.rows[0]["train/grad_norm"]


def test_telling_the_gradient_norm_changes_no_weight(tiny_parts: MakeParts, monkeypatch):
    told = tiny_parts({"sam.rho": 0.05})
    fit(told, go)
    monkeypatch.setattr(torch.nn.utils, "get_total_norm", lambda gradients: torch.zeros(()))
    untold = tiny_parts({"sam.rho": 0.05})
    fit(untold, go)
    assert weights_of(told.classifier) == weights_of(untold.classifier)


@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_a_loss_that_is_no_number_ends_the_trial_by_name(tiny_parts: MakeParts, rho):
    parts = tiny_parts({"sam.rho": rho})
    with torch.no_grad():
        parts.classifier.model.head.weight.fill_(float("nan"))
    with pytest.raises(Diverged, match=r"became nan in epoch 1; lower optim\.lr"):
        fit(parts, go)


def test_an_explosion_is_caught_in_the_epoch_in_which_it_happens(tiny_parts: MakeParts):
    parts = tiny_parts({"optim": {"name": "sgd", "lr": 1e30}, "train.epochs": 5})
    with pytest.raises(Diverged):
        fit(parts, go)


def test_clipping_bounds_the_update(tiny_parts: MakeParts):
    parts = tiny_parts({**ONE_STEP, "train.clip_norm": 0.01})
    before = [p.detach().clone() for p in parts.classifier.parameters()]
    fit(parts, go)
    moved = [p - q for p, q in zip(parts.classifier.parameters(), before, strict=True)]
    assert torch.cat([m.flatten() for m in moved]).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_training_learns(tiny_parts: MakeParts):
    diary = Diary()
    fit(tiny_parts({"train.epochs": 15, "optim.lr": 0.01}), diary)
    assert diary.rows[-1]["train/loss"] < 0.7 * diary.rows[0]["train/loss"]


def test_a_fold_that_is_not_there_is_refused_before_the_first_step(
    tiny_config: Callable[..., Config], sounds_of
):
    config = tiny_config({"fold": 6})
    with pytest.raises(DataError, match="fold 6"):
        build(config, sounds_of(config))
