"""Objectives: what a step makes smaller is what the options say, term by term."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.steps import train_step
from torch import Tensor, nn

from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.batches import Batch, training_batches
from audiocls.audio.features.normalise import Standardise
from audiocls.config.training import Training
from audiocls.models.convnext1d_causal.network import CODES, ConvNeXt1dCausal
from audiocls.training import score as score_module
from audiocls.training.classifier import Classifier
from audiocls.training.losses import code_loss
from audiocls.training.objective import ClassObjective, CodeObjective, JointObjective
from audiocls.training.score import score_codes

CLIPS, BANDS, FRAMES, CLASSES, BOOKS = 6, 4, 12, 5, 2


@pytest.fixture
def speaker() -> Classifier:
    """A model of two heads."""
    torch.manual_seed(0)
    model = ConvNeXt1dCausal(BANDS, CLASSES, width=8, blocks=2, kernel=3, num_codebooks=BOOKS)
    return Classifier(nn.Identity(), Standardise(BANDS), model).eval()


def some_batch(is_mixed: bool = False, targets: Tensor | None = None) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        inputs=torch.randn(CLIPS, BANDS, FRAMES, generator=generator),
        targets=torch.arange(CLIPS) % CLASSES if targets is None else targets,
        draws=ClipRNG(0, torch.arange(CLIPS)),
        is_mixed=is_mixed,
        codes=torch.randint(CODES, (CLIPS, BOOKS, FRAMES), generator=generator),
    )


def loss(objective, classifier: Classifier, batch: Batch) -> float:
    return objective.loss(classifier, classifier.features(batch.inputs), batch).item()


@pytest.mark.parametrize("weight", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_joint_loss_is_the_classes_and_the_weighted_codes(speaker, weight, smoothing):
    training = Training(label_smoothing=smoothing)
    classes, codes, batch = ClassObjective(training), CodeObjective(training), some_batch()
    expected = loss(classes, speaker, batch) + weight * loss(codes, speaker, batch)
    assert loss(JointObjective(classes, codes, weight), speaker, batch) == pytest.approx(
        expected, rel=1e-6
    )


def test_smoothing_is_of_both_losses(speaker):
    batch, smoothing = some_batch(), 0.1
    logits, code_logits = speaker.with_codes(batch.inputs)
    by_class = F.cross_entropy(logits, batch.targets, label_smoothing=smoothing)
    by_book = sum(
        F.cross_entropy(code_logits[:, q], batch.codes[:, q], label_smoothing=smoothing)
        for q in range(BOOKS)
    )
    training = Training(label_smoothing=smoothing)
    joint = JointObjective(ClassObjective(training), CodeObjective(training), 1.0)
    assert loss(joint, speaker, batch) == pytest.approx((by_class + by_book).item(), rel=1e-6)


def test_a_gradient_of_the_joint_loss_reaches_both_heads_and_all_below(speaker):
    training = Training()
    batch = some_batch()
    joint = JointObjective(ClassObjective(training), CodeObjective(training), 1.0)
    joint.loss(speaker, batch.inputs, batch).backward()
    assert all(p.grad is not None and p.grad.any() for p in speaker.parameters())


@pytest.mark.parametrize("kind", ["cross_entropy", "bce", "focal"])
def test_mixed_clips_are_not_smoothed_and_others_are(speaker, kind):
    soft = torch.rand(CLIPS, CLASSES, generator=torch.Generator().manual_seed(2)).softmax(1)
    mixed, whole = some_batch(True, soft), some_batch(False, soft)
    smooth, sharp = Training(loss=kind, label_smoothing=0.3), Training(loss=kind)
    assert loss(ClassObjective(smooth), speaker, mixed) == loss(
        ClassObjective(sharp), speaker, mixed
    )
    assert loss(ClassObjective(smooth), speaker, whole) != loss(
        ClassObjective(sharp), speaker, whole
    )


def test_a_union_of_labels_under_bce_is_a_yes_to_each(speaker):
    union = F.one_hot(torch.tensor([0, 1, 2, 3, 4, 0]), CLASSES).float()
    union[:, 2] = 1
    batch = some_batch(True, union)
    logits = speaker(batch.inputs)
    by_hand = -torch.where(union == 1, F.logsigmoid(logits), F.logsigmoid(-logits)).sum(1).mean()
    found = loss(ClassObjective(Training(loss="bce")), speaker, batch)
    assert found == pytest.approx(by_hand.item(), rel=1e-6)


def test_focal_of_gamma_zero_is_cross_entropy(speaker):
    batch = some_batch()
    focal = ClassObjective(Training(loss="focal", focal_gamma=0.0))
    assert loss(focal, speaker, batch) == pytest.approx(
        loss(ClassObjective(Training()), speaker, batch)
    )


class Recorded:
    """As much of `AudioDataset` as scoring codes asks for."""

    features = None

    def __init__(self, batch: Batch):
        self.inputs, self.codes = batch.inputs, batch.codes.numpy()
        self.device = torch.device("cpu")

    def unaugmented(self, clips) -> Tensor:
        return self.inputs[clips]


def test_perplexity_is_of_all_clips_however_they_are_batched(speaker):
    batch, clips = some_batch(), np.arange(CLIPS)
    _, code_logits = speaker.with_codes(batch.inputs)
    for size in (1, 4, 5, 6):
        found = score_codes(speaker, Recorded(batch), clips, size)
        whole = (code_loss(code_logits, batch.codes) / BOOKS).exp().item()
        assert found["val/code_perplexity"] == pytest.approx(whole, rel=1e-5)
        assert found["val/loss"] == pytest.approx(BOOKS * np.log(whole), rel=1e-5)
        right = (code_logits.argmax(2) == batch.codes).double().mean().item()
        assert found["val/code_accuracy"] == pytest.approx(right)


def test_a_validation_of_both_keeps_their_losses_apart(speaker, monkeypatch):
    training = Training()
    joint = JointObjective(ClassObjective(training), CodeObjective(training), 1.0)
    batch, clips = some_batch(), np.arange(CLIPS)
    scoring = [(batch.inputs, batch.targets)]
    monkeypatch.setattr(score_module, "scoring_batches", lambda *given: scoring)
    row = joint.validate(speaker, Recorded(batch), clips)
    assert row["val/loss"] == pytest.approx(
        loss(ClassObjective(training), speaker, batch), rel=1e-5
    )
    assert row["val/code_loss"] == pytest.approx(
        loss(CodeObjective(training), speaker, batch), rel=1e-5
    )
    assert {"val/accuracy", "val/code_accuracy", "val/code_perplexity"} <= row.keys()


ACCUMULATED = {
    "features.name": "raw",
    "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]},
    "train.label_smoothing": 0.1,
}


@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_two_batches_of_eight_accumulated_are_one_of_sixteen(tiny_parts, rho):
    """By a model whose clips do not see each other, for want of BatchNorm."""
    moved = []
    for size, accumulate in ((16, 1), (8, 2)):
        changes = {"train.batch_size": size, "train.accumulate": accumulate, "sam.rho": rho}
        parts = tiny_parts({**ACCUMULATED, **changes, "optim": {"name": "sgd", "lr": 0.1}})
        batches = training_batches(parts.dataset, parts.split.train[:16], parts.batching, 0, 0)
        group = list(itertools.islice(batches, accumulate))
        assert sum(len(batch.targets) for batch in group) == 16
        loss = train_step(parts, group).loss
        moved.append([loss, *parts.classifier.state_dict().values()])
    for one, two in zip(*moved, strict=True):
        assert torch.allclose(one, two, atol=1e-6)
