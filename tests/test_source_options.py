"""Options that make a recipe its source's: each does what it says, and at its default nothing."""

import json
import math

import numpy as np
import pytest
import torch
from helpers.masking import mask
from helpers.recipes import TINY
from helpers.steps import train_step
from helpers.trials import TrainedTrial
from torch import nn

from audiocls.audio.augment import Augment
from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.mixing import is_mixed
from audiocls.audio.batches import Batching, training_batches
from audiocls.config import identity_config, resolve, unused_options
from audiocls.dotted import flatten
from audiocls.errors import ConfigError
from audiocls.models import EAT
from audiocls.models.eat import SIZES
from audiocls.optim import AdamW, Ema, OneCycle
from audiocls.render.build.stored import planned_search
from audiocls.studies.sweep_request import sweep_request
from audiocls.training.checkpoint import load_checkpoint
from audiocls.training.evaluation_request import evaluation_request
from audiocls.training.fit import EpochEnd, Signal, fit
from audiocls.training.init_from import Weights, load_matching_weights
from audiocls.training.losses import distillation, loss_of, smoothing_among_all

ADDED = {
    "train.mixed_loss": "bce",
    "train.reduction": "sum",
    "train.smoothing_over": "others",
    "train.drop_last": True,
    "train.loss_scale": 1024.0,
    "train.deterministic": False,
    "optim.eps": 1e-4,
    "augment.masked": "silence",
    "augment.freq_mask": 2,
}
EAT_CHANGES = {
    "features.name": "raw",
    "model": {"name": "eat", "size": "XS", "factors": [4]},
}


def go(end: EpochEnd) -> Signal:
    return Signal.CONTINUE


def faults(changes):
    with pytest.raises(ConfigError) as raised:
        resolve([TINY, changes], "")
    return list(raised.value.faults)


def test_an_added_option_is_in_the_identity_only_where_it_is_not_at_its_default():
    plain = flatten(identity_config(resolve([TINY], "")))
    changed = flatten(identity_config(resolve([TINY, ADDED], "")))
    assert not set(ADDED) & plain.keys() - {"augment.freq_mask"}
    assert {key: changed[key] for key in ADDED} == ADDED


def test_a_stored_configuration_without_added_options_is_read_as_the_same():
    config = resolve([TINY], "")
    assert resolve([identity_config(config)], "") == config


def test_options_of_what_is_switched_off_are_named_as_unused():
    config = resolve([TINY, {"train.mixed_loss": "bce", "train.smoothing_over": "others"}], "")
    unused = {"train.mixed_loss", "train.smoothing_over", "train.loss_scale"}
    assert unused <= unused_options(config).keys()


# Losses.


def test_smoothing_over_the_others_leaves_the_true_class_one_minus_s():
    logits, labels = torch.randn(5, 7).double(), torch.arange(5)
    targets = torch.full((5, 7), 0.1 / 6).double()
    targets[range(5), range(5)] = 0.9
    by_hand = -(targets * logits.log_softmax(1)).sum(1).mean()
    smoothing = smoothing_among_all(0.1, 7)
    torch.testing.assert_close(loss_of(logits, labels, "cross_entropy", smoothing), by_hand)


def test_mixed_batches_have_a_loss_of_their_own(tiny_parts):
    changes = {"augment": {"mixes": ["timemix"], "mix_from_epoch": 1}, "train.mixed_loss": "bce"}
    parts = tiny_parts(changes)
    for epoch, kind in ((0, "cross_entropy"), (1, "bce")):
        batches = training_batches(parts.dataset, parts.split.train, parts.batching, epoch, 7)
        batch = next(batches)
        assert batch.is_mixed == (epoch == 1)
        logits = torch.randn(len(batch.targets), 10)
        wanted = loss_of(logits, batch.targets, kind)
        assert torch.equal(parts.objective.of_logits(logits, batch), wanted)
    assert set(batch.targets.unique().tolist()) == {0.0, 1.0}  # a union of labels


def test_distillation_of_several_labels_is_the_divergence_of_each_yes_and_no():
    student, teacher = torch.randn(4, 6).double(), torch.randn(4, 6).double()
    p, q = (teacher / 2).sigmoid(), (student / 2).sigmoid()
    by_hand = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(1).mean()
    found = distillation(student, teacher, 2.0, is_multi_label=True)
    torch.testing.assert_close(found, 4 * by_hand)
    assert float(distillation(teacher, teacher, 2.0, is_multi_label=True)) == pytest.approx(0.0)


# Steps.


def test_a_summed_loss_has_the_gradient_of_the_mean_times_the_clips(tiny_parts):
    norms = []
    for reduction in ("mean", "sum"):
        parts = tiny_parts({"train.reduction": reduction, "train.clip_norm": 1e-3})
        batch = next(training_batches(parts.dataset, parts.split.train, parts.batching, 0, 7))
        parts.classifier.train()
        result = train_step(parts, [batch], is_measured=True)
        norms.append(float(result.grad_norm) / (len(batch.targets) if reduction == "sum" else 1))
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_a_step_that_overflows_changes_neither_weights_nor_rate(tiny_parts):
    changes = {"train.precision": "fp16", "train.loss_scale": 2.0**100, "schedule.name": "onecycle"}
    parts = tiny_parts(changes)
    batch = next(training_batches(parts.dataset, parts.split.train, parts.batching, 0, 7))
    parts.classifier.train()
    before, lr = [p.clone() for p in parts.classifier.parameters()], parts.schedule.lr
    assert train_step(parts, [batch], is_measured=True).grad_norm is None
    assert all(map(torch.equal, before, parts.classifier.parameters()))
    assert parts.schedule.lr == lr
    assert parts.scaling.state_dict()["scale"] == 2.0**99


def test_full_batches_leave_out_other_clips_in_each_epoch(tiny_parts):
    parts = tiny_parts()
    clips, batching = parts.split.train, Batching(7, drops_last=True)
    seen = []
    for epoch_seed in range(6):
        batches = list(training_batches(parts.dataset, clips, batching, 0, epoch_seed))
        assert [len(batch.targets) for batch in batches] == [7] * (len(clips) // 7)
        seen += torch.cat([batch.draws.clips for batch in batches]).tolist()
    assert set(seen) == set(clips.tolist())


# Optimiser, schedule and average.


def test_the_momentum_falls_while_the_rate_rises():
    optimizer = AdamW().build(nn.Linear(3, 3))
    schedule = OneCycle(pct_start=0.5, cycle_momentum=(0.85, 0.95)).build(optimizer, 10, 2)
    betas, rates = [], []
    for _ in range(19):
        betas.append(optimizer.param_groups[0]["betas"][0])
        rates.append(schedule.lr)
        optimizer.step()
        schedule.step()
    assert betas[0] == pytest.approx(0.95)
    assert min(betas) == pytest.approx(0.85)
    assert np.array_equal(np.argsort(betas, stable=True)[0], np.argmax(rates))
    assert (
        "cycle_momentum" in faults({"schedule": {"name": "onecycle", "cycle_momentum": [1, 0]}})[0]
    )


@pytest.mark.parametrize("epoch_steps", [5, 40])
def test_a_decay_per_epoch_forgets_as_much_in_an_epoch_of_any_length(epoch_steps):
    module = nn.Linear(1, 1, bias=False)
    average = Ema(decay=0.5, decay_per="epoch").build(module, 9, epoch_steps)
    module.weight.data.fill_(0.0)
    for _ in range(2 * epoch_steps):  # the start is forgotten
        average.after_step()
    average.evaluated().weight.data.fill_(1.0)
    for _ in range(epoch_steps):
        average.after_step()
    assert float(average.evaluated().weight) == pytest.approx(0.5)


# Draws of a batch.


def test_a_batch_that_draws_once_is_resampled_and_mixed_alike(tiny_parts):
    parts = tiny_parts()
    augment = Augment(mixes=("mixup", "timemix", "cutmix"), mix_p=0.5, draw_per="batch")
    draws = [ClipRNG(seed, torch.arange(8), shared=3) for seed in range(60)]
    assert 15 < sum(is_mixed(augment, each, 0) for each in draws) < 45
    kinds = [each.per_batch().integers("mix", 3)[:, 0] for each in draws]
    assert all(len(kind.unique()) == 1 for kind in kinds)
    assert len(torch.stack(kinds).unique()) == 3
    batching = Batching(6, augment)
    batches = list(training_batches(parts.dataset, parts.split.train, batching, 0, 7))
    assert {batch.is_mixed for batch in batches} == {True, False}


def test_a_share_of_mixed_batches_needs_draws_of_batches():
    changes = {"augment": {"mixes": ["mixup"], "mix_p": 0.5}}
    assert any("draw_per=batch" in fault for fault in faults(changes))


# Masks.


def test_a_mask_of_the_linear_mel_leaves_what_silence_has(tiny_parts):
    parts = tiny_parts({"augment": {"freq_mask": 8, "masked": "silence"}})
    silence = parts.dataset.front_end(torch.zeros(1, parts.dataset.num_samples))
    fill = parts.classifier.standardise(silence)[:, :, :1]
    features = torch.randn(4, 16, 20)
    masked = mask(features, parts.config.augment, ClipRNG(0, torch.arange(4)), fill)
    is_masked = masked != features
    assert is_masked.any()
    torch.testing.assert_close(masked[is_masked], fill.expand(4, 16, 20)[is_masked])
    fit(parts, go)


@pytest.mark.parametrize(
    "features", [{"name": "mfcc"}, {"name": "logmel", "n_mels": 16, "normalise": "clip"}]
)
def test_features_without_one_value_of_silence_are_refused(features):
    changes = {"features": features, "augment": {"freq_mask": 2, "masked": "silence"}}
    assert any("augment.masked" in fault for fault in faults(changes))


# EAT.


def test_sizes_are_free_and_heads_must_divide_the_width():
    free = EAT(size="S", width=96, heads=6, layers=2)
    assert free.dimensions() == SIZES["S"]._replace(width=96, heads=6, layers=2)
    changes = {**EAT_CHANGES, "model.width": 30}
    assert any("a divisor of the width, 30" in fault for fault in faults(changes))


def test_the_authors_weights_start_alike_in_all_layers_and_without_biases():
    network = EAT(size="S", factors=(4,), init="authors").build((1, 4096), 5)
    first, *others = (layer.state_dict() for layer in network.layers)
    assert all(torch.equal(layer[name], first[name]) for layer in others for name in first)
    linears = [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert all(not module.bias.any() for module in linears)


def test_positions_of_another_length_are_copied_if_asked(tiny_parts):
    parts = tiny_parts({**EAT_CHANGES, "model.positions": "interpolated"})
    longer = {n: t.clone() for n, t in parts.classifier.state_dict().items()}
    num = longer["model.positions"].shape[1]
    ramp = torch.arange(2 * num).float().view(1, -1, 1).expand(1, 2 * num, 32)
    longer["model.positions"] = ramp
    transfer = load_matching_weights(parts.classifier, Weights("w", longer, ()), ("a",))
    assert "model.positions" in transfer.taken
    copied = parts.classifier.model.positions[0, :, 0]
    assert copied.tolist() == [2.0 * i for i in range(num)]
    plain = tiny_parts(EAT_CHANGES)
    kept = load_matching_weights(plain.classifier, Weights("w", longer, ()), ("a",))
    assert kept.other_shape == ("model.positions",)


# Without validation.


def test_without_validation_four_folds_train_and_the_last_epoch_is_tested(tiny_parts):
    held_out = tiny_parts().split
    parts = tiny_parts({"data.validation": "none", "train.select": "last"})
    wanted = np.sort(np.concatenate([held_out.train, held_out.val]))
    assert parts.split.train.tolist() == wanted.tolist()
    assert parts.split.test.tolist() == held_out.test.tolist()
    assert len(parts.split.val) == 0
    rows = []
    progress = fit(parts, lambda end: rows.append(end.row) or Signal.CONTINUE)
    assert progress.best_row["epoch"] == parts.config.train.epochs
    assert not any(key.startswith("val/") for key in rows[0])
    assert math.isfinite(rows[0]["train/loss"])


@pytest.mark.parametrize("select", ["val/accuracy", "val/loss"])
def test_without_validation_no_epoch_can_be_chosen(select):
    (fault,) = faults({"data.validation": "none", "train.select": select})
    assert "data.validation=none" in fault
    assert "allowed: last" in fault


def test_clips_that_would_be_held_out_are_told_as_trained_on(tmp_path, cache):
    changes = {"data.validation": "none", "train.select": "last", "train.epochs": 1}
    trained = TrainedTrial(changes, tmp_path, cache)
    held_out = {"data.validation": "held_out"}
    request = evaluation_request(trained.checkpoint, cache, held_out, "val")
    assert any(f"{len(request.clips)} were in the training" in note for note in request.notes)


def test_pretraining_chooses_its_epoch_and_needs_validation():
    other = {**TINY["data"], "validation": "none"}
    assert any("pretraining.data.validation" in f for f in faults({"pretraining.data": other}))


def test_a_search_by_validation_needs_validation(tmp_path):
    (tmp_path / "s.yaml").write_text(
        "method: grid\nmetric: {name: val/loss, goal: minimize}\n"
        "command: [audiocls, train, --recipe, eat-s-urbansound8k-cpu, '${args_no_hyphens}']\n"
        "parameters: {optim.lr: {values: [0.1, 0.2]}}\n"
    )
    with pytest.raises(ConfigError, match=r"val/loss is not known under data\.validation=none"):
        planned_search(sweep_request(str(tmp_path / "s.yaml")))


# Several checkpoints.


def test_the_best_epochs_are_kept_in_order_also_after_a_stop(tiny_parts):
    changes = {"train": {"epochs": 5, "keep_best": 3, "select": "val/loss"}}
    rows, snapshots = [], []

    def diary(end: EpochEnd) -> Signal:
        rows.append(end.row)
        snapshots.append(end.snapshot())
        return Signal.CONTINUE

    progress = fit(tiny_parts(changes), diary)
    best = sorted(rows, key=lambda row: row["val/loss"])[:3]
    assert [kept["row"]["epoch"] for kept in progress.ranked] == [row["epoch"] for row in best]
    assert progress.ranked[0]["row"]["epoch"] == progress.best_row["epoch"]
    weights = progress.ranked[0]["weights"]
    assert all(torch.equal(weights[name], value) for name, value in progress.best_weights.items())
    resumed = fit(tiny_parts(changes), go, snapshots[1])
    for kept, other in zip(progress.ranked, resumed.ranked, strict=True):
        assert all(torch.equal(other["weights"][n], t) for n, t in kept["weights"].items())


def test_kept_checkpoints_can_be_read_and_say_what_they_reached(tmp_path, cache):
    TrainedTrial({"train": {"epochs": 3, "keep_best": 2}}, tmp_path, cache)
    first, second = (load_checkpoint(tmp_path / f"checkpoint{n}.safetensors") for n in ("", "-2"))
    assert first.labels == second.labels
    told = json.loads((tmp_path / "checkpoint-2.json").read_text())
    assert (told["rank"], told["metrics"]["epoch"] in (1, 2, 3)) == (2, True)
    assert not (tmp_path / "checkpoint-3.safetensors").exists()
