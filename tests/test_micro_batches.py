"""A step that does not fit into memory is computed in parts, which add up to the whole batch."""

import gc
import weakref

import pytest
import torch
from helpers.recipes import TINY
from helpers.trials import train, trainable_job

from audiocls.analysis.caveats import IN_PARTS
from audiocls.config import resolve
from audiocls.execution.messages import Failed
from audiocls.training import step as step_module
from audiocls.training.fit import EpochEnd, Signal, fit

CONVNEXT = {"model": {"name": "convnext1d", "stem_width": 4, "strides": [2]}}
SETTINGS = {
    "plain": {},
    "sam and clipping": {"sam.rho": 0.05, "train.clip_norm": 0.5},
    "accumulated sums": {"train.accumulate": 2, "train.reduction": "sum"},
    "masks": {"augment": {"time_mask": 4}},
}


def go(end: EpochEnd) -> Signal:
    return Signal.CONTINUE


@pytest.fixture
def small_memory(monkeypatch):
    """No batch of more clips than this can be computed."""
    real = step_module.batch_loss

    def set_to(most):
        def limited(classifier, objective, config, batch):
            if len(batch.targets) > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return real(classifier, objective, config, batch)

        monkeypatch.setattr(step_module, "batch_loss", limited)

    return set_to


@pytest.mark.parametrize("setting", SETTINGS)
def test_parts_have_the_losses_and_weights_of_whole_batches(setting, tiny_parts, small_memory):
    changes = {**CONVNEXT, **SETTINGS[setting], "train.epochs": 1}
    whole, parts = tiny_parts(changes), tiny_parts(changes)
    expected = fit(whole, go)
    small_memory(2)
    progress = fit(parts, go)
    assert parts.micro_batches.count == 4
    assert progress.first_losses == pytest.approx(expected.first_losses, rel=1e-6)
    for name, value in whole.classifier.state_dict().items():
        theirs = parts.classifier.state_dict()[name]
        torch.testing.assert_close(value, theirs, rtol=1e-4, atol=1e-4, msg=name)
    [note] = parts.micro_batches.notes()
    assert note.startswith(f"{IN_PARTS} 4 parts")


def test_what_the_whole_batch_held_is_free_before_its_memory_is_given_back(tiny_parts, monkeypatch):
    """A device's cache can give back only what no tensor holds any more."""
    real, held, alive = step_module.batch_loss, [], []

    def empty_cache():
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        alive.extend(each() is not None for each in held)

    def limited(classifier, objective, config, batch):
        if len(batch.targets) > 2:
            activations = torch.zeros(1)
            held.append(weakref.ref(activations))
            monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(classifier, objective, config, batch)

    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    monkeypatch.setattr(step_module, "batch_loss", limited)
    parts = tiny_parts({**CONVNEXT, "train.epochs": 1})
    fit(parts, go)
    assert parts.micro_batches.count == 4
    assert alive == [False, False, False]


def test_a_model_with_batch_norm_says_why_it_cannot_be(tiny_parts, small_memory):
    small_memory(2)
    with pytest.raises(torch.OutOfMemoryError, match=r"BatchNorm.*train.batch_size"):
        fit(tiny_parts(), go)


def test_one_clip_that_does_not_fit_is_the_end(tiny_parts, small_memory):
    small_memory(0)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        fit(tiny_parts(CONVNEXT), go)


def test_what_a_trial_held_when_it_failed_is_free_for_the_next_one(tmp_path, cache, monkeypatch):
    """Whoever raises an error that it was given is in the error's frames, and holds it."""
    held = []

    def short(*_):
        activations = torch.zeros(1)
        held.append(weakref.ref(activations))
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(step_module, "batch_loss", short)
    job = trainable_job(resolve([TINY, CONVNEXT], "tiny"), tmp_path, cache)
    gc.disable()
    try:
        assert isinstance(train(job, cache), Failed)
    finally:
        gc.enable()
    assert [activations() for activations in held] == [None] * 4


def test_other_errors_are_not_tried_again(tiny_parts, monkeypatch):
    calls = []

    def broken(*_):
        calls.append(1)
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(step_module, "batch_loss", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        fit(tiny_parts(CONVNEXT), go)
    assert len(calls) == 1


def test_what_fits_has_no_note(tiny_parts):
    parts = tiny_parts()
    fit(parts, go)
    assert parts.micro_batches.notes() == ()
