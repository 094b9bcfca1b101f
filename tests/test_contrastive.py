"""COLA and SimCLR: views, losses, what is kept, what is refused. Steps: `test_audax_steps.py`."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.recipes import TINY
from helpers.trials import TrainedTrial

from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.views import Views
from audiocls.config import resolve
from audiocls.errors import ConfigError
from audiocls.training.contrastive import ContrastiveHead, nt_xent, paired_loss
from audiocls.training.fit import Signal, fit
from audiocls.training.pretrain import stage_of
from audiocls.training.state import build

COLA: dict[str, Any] = {"mode": "cola", "crop_s": 0.25, "epochs": 3, "embedding": 8}
SIMCLR = COLA | {"mode": "simclr"}
MODES = pytest.mark.parametrize("ssl", [COLA, COLA | {"similarity": "dot"}, SIMCLR])


def stage(ssl: dict[str, Any], sounds_of, **changes):
    config = stage_of(resolve([TINY, {"ssl": ssl, **changes}], "test"))
    return build(config, sounds_of(config), learns_views=True)


def test_views_are_two_parts_of_a_clip_and_the_second_is_noisy(sounds_of):
    """Without noise both are in the clip; with it the second one's level is as asked."""
    dataset = replace(stage(COLA, sounds_of).dataset, front_end=torch.nn.Identity())
    clips, seed = np.arange(6), ClipRNG(1, torch.arange(6))
    batch = Views(noise=0.0).batch(dataset, clips, seed)
    first, second = batch.inputs.chunk(2)
    whole = dataset.pack.waveforms(clips, 8000, np.zeros(6, np.int64))  # a second
    for view in (first, second):
        for part, clip in zip(view.numpy(), whole, strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(clip, len(part))
            assert (windows == part).all(axis=1).any()
    assert not torch.equal(first, second)
    noisy = Views(noise=0.01).batch(dataset, clips, seed).inputs
    assert torch.equal(noisy[:6], first)
    added = (noisy[6:] - second).std(dim=1)
    assert added / second.norm(dim=1) == pytest.approx(0.01, rel=0.1)


def test_views_know_no_batch(sounds_of):
    dataset, views = stage(COLA, sounds_of).dataset, Views(noise=0.01)
    many = views.batch(dataset, np.arange(6), ClipRNG(1, torch.arange(6))).inputs
    one = views.batch(dataset, np.array([3]), ClipRNG(1, torch.tensor([3]))).inputs
    assert torch.allclose(many[[3, 9]], one, atol=1e-5)


def test_losses_are_chance_without_knowledge_and_nothing_with_it():
    same = torch.ones(5, 3)
    assert paired_loss(torch.zeros(5, 5)).item() == pytest.approx(math.log(5))
    assert nt_xent(same, same, temperature=0.1).item() == pytest.approx(math.log(9))
    apart = torch.eye(5)
    assert paired_loss(100 * apart).item() == pytest.approx(0)
    assert nt_xent(apart, 2 * apart, temperature=0.01).item() == pytest.approx(0)


def test_a_bilinear_form_need_not_be_symmetric_and_cosines_know_no_length():
    first, second = torch.randn(2, 4, 3)
    cosine = ContrastiveHead(3, 3, is_bilinear=False)
    found = cosine.similarities(first, second, temperature=0.5)
    assert torch.allclose(cosine.similarities(3 * first, second, temperature=0.5), found)
    assert found.abs().max() <= 2
    form = ContrastiveHead(3, 3, is_bilinear=True)
    there, back = form.similarities(first, second, 1.0), form.similarities(second, first, 1.0)
    assert not torch.allclose(there, back.T)


@MODES
def test_a_stage_learns_to_find_the_other_view(ssl, sounds_of):
    state = stage({**ssl, "epochs": 12, "lr": 0.01, "warmup_epochs": 1}, sounds_of)
    rows: list[dict[str, float]] = []

    def end(epoch):
        rows.append(epoch.row)
        return Signal.CONTINUE

    progress = fit(state, end)
    assert progress.best_row["epoch"] == 12
    assert rows[-1]["train/loss"] < 0.9 * rows[0]["train/loss"]
    assert rows[-1]["val/view_accuracy"] > 0.1


def test_a_trial_starts_from_all_of_a_stage_but_its_head(tmp_path, cache):
    trial = TrainedTrial({"ssl": COLA, "freeze": True}, tmp_path, cache)
    record = trial.trial.record()
    assert record is not None
    assert record.metrics["pretrain/epoch"] == 3
    assert 0 <= record.metrics["pretrain/view_accuracy"] <= 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ssl.mode": "cola", "ssl.crop_s": 0.6}, "ssl.crop_s: got 0.6 s, allowed: up to"),
        ({"ssl": SIMCLR, "train.batch_size": 1}, "set ssl.batch_size, 2 or more"),
        ({"ssl": COLA | {"temperature": 0.2}}, "temperature: no effect under mode 'cola'"),
        ({"ssl": SIMCLR | {"similarity": "dot"}}, "similarity: no effect under mode 'simclr'"),
        ({"ssl": {"mode": "joint", "crop_s": 0.3}}, "crop_s: no effect under mode 'joint'"),
        ({"ssl": COLA, "pretraining.data": TINY["data"]}, "only one pre-training stage"),
        ({"ssl": COLA, "model": {"name": "kws"}}, "replaces a Linear at the end"),
        ({"ssl": COLA, "data.validation": "none", "train.select": "last"}, "got 'none'"),
    ],
)
def test_what_cannot_be_learned_is_refused(changes, says):
    with pytest.raises(ConfigError, match=says):
        resolve([TINY, changes], "test")


def test_defaults_are_those_of_audax():
    ssl = resolve([TINY, {"ssl": COLA}], "test").ssl
    assert (ssl.noise, ssl.weight_decay, ssl.temperature) == (1e-3, 1e-6, 0.1)
    assert (ssl.similarity, ssl.warmup_epochs) == ("bilinear", 5)
