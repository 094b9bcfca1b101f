"""Distillation from a checkpoint: what it hears, whom it may teach, what its student gets."""

import json
from pathlib import Path

import pytest
import torch
from helpers.recipes import TINY
from helpers.trials import TrainedTrial

from audiocls.audio.batches import Batch, training_batches
from audiocls.config import resolve
from audiocls.errors import ConfigError, UsageError
from audiocls.execution.content import require_usable
from audiocls.training.checkpoint import description_of, weights_of
from audiocls.training.fit import Signal, fit
from audiocls.training.teacher import teacher_of

LEAF = {"features": {"name": "leaf", "num_filters": 8, "window": 101, "hop": 128}}
RAW = {
    "features": {"name": "raw", "normalise": "abs_max", "peak": 0.9},
    "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]},
}
CHANGED = {"augment": {"gain_db": 12, "shift_s": 0.05}}
MIXED = {"augment.mixes": ["mixup", "timemix"]}


def saved(parts, folder: Path) -> Path:
    """The checkpoint of a classifier as it stands."""
    file = folder / "teacher.safetensors"
    file.write_bytes(weights_of(parts.classifier))
    labels = parts.dataset.table.labels
    file.with_suffix(".json").write_text(json.dumps(description_of(parts.config, labels)))
    return file


def first_batch(parts) -> Batch:
    return next(training_batches(parts.dataset, parts.split.train, parts.batching, 0, 0))


@pytest.mark.parametrize("heard", [{}, CHANGED, MIXED], ids=["as it is", "changed", "mixed"])
@pytest.mark.parametrize("features", [{}, LEAF, RAW], ids=["logmel", "leaf", "raw"])
def test_a_student_that_is_its_teacher_has_no_loss_and_no_gradient(
    tiny_parts, tmp_path, features, heard
):
    file = saved(tiny_parts(features), tmp_path)
    student = tiny_parts({**features, **heard, "distil": {"teacher": str(file), "weight": 1.0}})
    student.classifier.eval()
    batch = first_batch(student)
    loss = student.objective.loss(
        student.classifier, student.classifier.features(batch.inputs), batch
    )
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-5)
    gradients = [p.grad for p in student.classifier.parameters() if p.grad is not None]
    assert gradients
    assert max(g.abs().max() for g in gradients) < 1e-3


def test_the_teacher_is_not_trained_and_does_not_depend_on_the_batch(tiny_parts, tmp_path):
    file = saved(tiny_parts(), tmp_path)
    student = tiny_parts({"distil.teacher": str(file)})
    teach = teacher_of(student.config, student.dataset)
    waves = student.dataset.waveforms(student.split.train)
    before = teach(waves)
    fit(student, lambda end: Signal.CONTINUE)
    assert torch.equal(teach(waves), before)
    assert not before.requires_grad
    assert torch.allclose(teach(waves[:3]), before[:3], atol=1e-5)


def test_a_student_with_nothing_but_its_teacher_comes_to_agree_with_it(tiny_parts, tmp_path):
    teacher = tiny_parts({"train.epochs": 15})
    fit(teacher, lambda end: Signal.CONTINUE)
    file = saved(teacher, tmp_path)
    changes = {"seed": 1, "train.epochs": 15, "train.select": "last"}
    student = tiny_parts({**changes, "distil": {"teacher": str(file), "weight": 1.0}})
    losses = []
    fit(student, lambda end: losses.append(end.row["train/loss"]) or Signal.CONTINUE)
    assert losses[-1] < losses[0] / 3


def test_labels_keep_the_rest_of_the_weight(tiny_parts, tmp_path):
    file = saved(tiny_parts({"seed": 1}), tmp_path)

    def loss(weight):
        options = {"teacher": str(file), "weight": weight}
        parts = tiny_parts({"distil": options} if weight else {})
        batch = first_batch(parts)
        heard = parts.classifier.eval().features(batch.inputs)
        return parts.objective.loss(parts.classifier, heard, batch).item()

    assert loss(0.25) == pytest.approx(0.75 * loss(0) + 0.25 * loss(1.0), rel=1e-5)


DIFFERENT = {
    "data.sample_rate": 4000,
    "data.duration_s": 0.25,
    "features.wave_normalise": "abs_max",
}


def test_whom_it_cannot_teach_is_told_every_reason_at_launch_and_before_training(
    tiny_parts, sounds_of, tmp_path
):
    file = saved(tiny_parts(), tmp_path)
    config = resolve([TINY, DIFFERENT, {"distil.teacher": str(file)}], "")
    said = ["sample rate in Hz: the teacher has 8000, this trial 4000", "samples a clip"]
    said += ["wave normalisation: the teacher has 'none', this trial 'abs_max to 1'"]
    for refuse in (
        lambda: require_usable(config, ("other", "classes")),
        lambda: teacher_of(config, sounds_of(config)),
    ):
        with pytest.raises(ConfigError) as raised:
            refuse()
        assert all(text in str(raised.value) for text in said)
    with pytest.raises(ConfigError, match=r"classes: .* this trial \('other', 'classes'\)"):
        require_usable(config, ("other", "classes"))


def test_a_teacher_that_is_not_there_is_refused_by_its_key(tmp_path):
    config = resolve([TINY, {"distil.teacher": str(tmp_path / "nobody")}], "")
    with pytest.raises(UsageError, match=r"distil.teacher: .*nobody"):
        require_usable(config, ())


SEVERAL = {"data.events": 2, "train.loss": "bce", "train.select": "val/map"}


def test_a_teacher_of_several_labels_teaches_a_student_of_several(tmp_path, cache, tiny_parts):
    TrainedTrial(SEVERAL, tmp_path, cache)
    rate = {"data.duration_s": 1.0, "data.sample_rate": 16000}
    taught = tiny_parts({**SEVERAL, **rate, "distil": {"teacher": str(tmp_path), "weight": 1.0}})
    batch = next(training_batches(taught.dataset, taught.split.train, taught.batching, 0, 7))
    own = taught.objective.teacher(batch.waveforms)
    assert float(taught.objective.of_logits(own, batch)) == pytest.approx(0.0, abs=1e-6)
    assert float(taught.objective.of_logits(own + 1, batch)) > 0


def test_a_teacher_of_one_label_a_clip_is_refused_where_clips_have_several(any_trained):
    changes = {**SEVERAL, "data.duration_s": 1.0, "data.sample_rate": 16000}
    config = resolve([TINY, changes, {"distil.teacher": str(any_trained.trial.path)}], "")
    with pytest.raises(ConfigError, match="several labels a clip: the teacher has False"):
        require_usable(config, any_trained.table.labels)
