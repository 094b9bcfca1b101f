"""Options that audax' recipes need: what each changes, and what it leaves alone."""

import math

import numpy as np
import pytest
import torch
from helpers.recipes import TINY
from helpers.trials import TrainedTrial

from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.feature_mixup import beta_shares, draw_feature_mix, mix_features
from audiocls.audio.batches import training_batches
from audiocls.audio.features.logmel import LogMel
from audiocls.config import resolve
from audiocls.config.identity import unused_options
from audiocls.errors import ConfigError
from audiocls.models.padding import pad_same, same_padding
from audiocls.optim import LARS, AdamW, Cosine
from audiocls.training.metrics import scalars
from audiocls.training.step import batch_loss


@pytest.mark.parametrize("size", [1, 7, 8, 101])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (7, 2), (3, 1), (1, 2)])
def test_same_padding_has_a_window_a_stride_and_one_zero_more_at_the_end(size, kernel, stride):
    begin, end = same_padding(size, kernel, stride)
    assert end - begin in (0, 1)
    padded = pad_same(torch.ones(1, 1, size, size), kernel, stride)
    found = torch.nn.functional.max_pool2d(padded, kernel, stride)
    assert found.shape[2:] == 2 * (-(-size // stride),)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_b0"])
def test_padding_changes_no_name_and_over_odd_sizes_no_number(name):
    def network(padding):
        small = {"width": 8}
        if name == "efficientnet_b0":
            small = {"width": 0.25, "depth": 0.3, "stochastic_depth": 0.0}
        config = resolve([TINY, {"model": {"name": name, "padding": padding, **small}}], "")
        torch.manual_seed(0)
        return config.model.build((33, 33), 5).train()

    one, other = network("symmetric"), network("same")
    assert one.state_dict().keys() == other.state_dict().keys()
    odd, even = torch.randn(4, 33, 33), torch.randn(4, 32, 32)
    with torch.no_grad():
        assert torch.allclose(one(odd), other(odd), atol=1e-4)
        assert not torch.allclose(one(even), other(even), atol=1e-4)


def test_a_leading_window_has_the_frames_that_its_shape_says_and_lies_earlier():
    options = LogMel(n_mels=32, n_fft=1024, window=400, framing="leading", normalise="none")
    click = torch.zeros(1, 16_000)
    click[0, 8000] = 1.0
    features = options.build(16_000)(click)
    assert features.shape == (1, *options.shape(16_000, 16_000)) == (1, 32, 104)
    loudest = int(features[0].mean(0).argmax())
    centred = LogMel(n_mels=32, n_fft=1024, window=400, normalise="none").build(16_000)(click)
    assert loudest - int(centred[0].mean(0).argmax()) == round((1024 - 400) / 2 / 160)


def test_shares_are_of_a_beta_distribution():
    shares = beta_shares(ClipRNG(0, torch.arange(20_000)), alpha=0.8)[:, 0].double()
    assert shares.mean().item() == pytest.approx(0.5, abs=0.01)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * 0.8 + 1)), abs=0.003)


def test_features_and_labels_are_mixed_in_the_same_shares():
    draws, features = ClipRNG(3, torch.arange(4)), torch.eye(4).unsqueeze(2).expand(4, 4, 7)
    mix = draw_feature_mix(draws, 0.5, features.device)
    assert mix is not None
    mixed, targets = mix_features(features, torch.eye(4), mix)
    assert torch.allclose(mixed[..., 0], targets)
    assert targets.sum(dim=1) == pytest.approx(1.0)
    assert ((targets > 0).sum(dim=1) <= 2).all()


def test_mixed_features_change_the_loss_of_training_alone(tiny_parts):
    losses, validated = [], []
    for changes in ({}, {"augment.feature_mixup": 0.8}):
        state = tiny_parts(changes)
        dataset, split = state.dataset, state.split
        validated.append(state.objective.validate(state.classifier, dataset, split.val))
        batch = next(iter(training_batches(dataset, split.train, state.batching, 0, 1)))
        losses.append(batch_loss(state.classifier, state.objective, state.config, batch).item())
    assert losses[0] != losses[1]
    assert validated[0] == validated[1]


def test_features_are_mixed_by_one_way_and_not_behind_a_teachers_back():
    for changes, says in (
        ({"augment": {"feature_mixup": 0.8, "mixes": ["mixup"]}}, "set one"),
        ({"augment.feature_mixup": 0.8, "distil.teacher": "x"}, "a teacher takes waveforms"),
    ):
        with pytest.raises(ConfigError, match=says):
            resolve([TINY, changes], "test")
    smoothed = resolve([TINY, {"augment.feature_mixup": 0.8, "train.label_smoothing": 0.1}], "")
    assert "train.label_smoothing" in unused_options(smoothed)


@pytest.mark.parametrize("optim", [AdamW, LARS])
def test_all_parameters_decay_if_asked(optim):
    (group,) = optim(weight_decay=0.1, decays="all").build(torch.nn.Linear(3, 2)).param_groups
    assert group["weight_decay"] == 0.1
    assert len(group["params"]) == 2


def test_lars_moves_each_tensor_by_its_share_whatever_the_size_of_the_gradient():
    moved = []
    for scale in (1.0, 1000.0):
        weight = torch.nn.Parameter(torch.full((4,), 2.0))
        model = torch.nn.ParameterList([weight])
        weight.grad = torch.full((4,), scale)
        LARS(lr=1.0, momentum=0.0).build(model).step()
        moved.append((2.0 - weight.detach()).norm().item())
    assert moved == pytest.approx([1e-3 * 4.0, 1e-3 * 4.0], rel=1e-4)


def test_a_warm_up_from_zero_is_one_step_behind():
    def rates(from_zero):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule = Cosine(warmup_epochs=1, from_zero=from_zero).build(optimizer, 3, 4)
        found = []
        for _ in range(12):
            found.append(schedule.lr)
            optimizer.step()
            schedule.step()
        return found

    assert rates(True)[:5] == [0, 0.25, 0.5, 0.75, 1.0]
    assert rates(True)[1:4] == rates(False)[:3]
    assert rates(True)[4:] == rates(False)[4:]
    with pytest.raises(ValueError, match="warmup_epochs above 0"):
        Cosine(warmup_epochs=0, from_zero=True)


def test_d_prime_is_the_distance_of_two_normal_distributions():
    """Scores of the one are N(d, 1), of the other N(0, 1)."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 4000)
    scores = torch.from_numpy(rng.standard_normal(8000) + 1.5 * truth).unsqueeze(1)
    found = scalars(scores, torch.from_numpy(truth).unsqueeze(1).float(), is_multi_label=True)
    assert found["d_prime"] == pytest.approx(1.5, abs=0.06)
    perfect = scalars(torch.tensor([[1.0], [-1.0]]), torch.tensor([[1.0], [0.0]]), True)
    assert perfect["auroc"] == 1
    assert "d_prime" not in perfect  # it is infinite
    assert math.isfinite(found["d_prime"])


def test_the_last_epochs_are_kept_the_last_one_first(tmp_path, cache):
    TrainedTrial({"train": {"epochs": 3, "keep_last": 2}}, tmp_path, cache)
    kept = sorted(file.name for file in tmp_path.glob("checkpoint*.safetensors"))
    assert kept == [f"checkpoint{end}.safetensors" for end in ("-last-1", "-last-2", "")]
