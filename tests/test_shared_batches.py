"""A launch refuses, before anything runs, trials whose batches several devices cannot share."""

import pytest
from helpers.processes import invoke

from audiocls import library
from audiocls.config import resolve
from audiocls.errors import UsageError
from audiocls.execution.shared_batches import require_shared

RAW = {
    "features": {"name": "raw"},
    "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]},
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "model.name: logmel_cnn has BatchNorm"),
        ({**RAW, "features": {"name": "raw", "normalise": "batch_norm"}}, "has BatchNorm"),
        ({**RAW, "train.batch_size": 1}, "train.batch_size: 1, fewer clips than devices"),
        ({**RAW, "augment.feature_mixup": 0.3}, "augment.feature_mixup mixes whole batches"),
    ],
    ids=str,
)
def test_what_two_cores_cannot_share_is_refused(tiny_config, changes, said):
    config = tiny_config(changes)
    with pytest.raises(UsageError, match=f"--devices-per-trial: got 2; .*{said}"):
        require_shared([tiny_config(RAW), config], 2, "cpu")
    require_shared([config], 1, "cpu")


def test_gpus_share_the_statistics_of_batch_norm(tiny_config):
    require_shared([tiny_config()], 2, "cuda")
    learned = {"features": {"name": "leaf"}, "model": {"name": "attention"}}
    require_shared([tiny_config(learned)], 2, "cpu")


@pytest.mark.parametrize("name", ["hifigan-raw-cpu", "convnext1d-lm-cpu", "audax-resnet18"])
def test_networks_of_recipes_are_looked_through_without_their_weights(name):
    config = resolve([library.recipe(name), {"data": {"name": "synthetic"}}], name)
    if name == "audax-resnet18":
        with pytest.raises(UsageError, match="resnet18 has BatchNorm"):
            require_shared([config], 2, "cpu")
    else:
        require_shared([config], 2, "cpu")


def test_a_search_is_refused_as_an_ablation_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given in (["--set", "device=tpu"], ["--devices-per-trial", "2"]):
        ended = invoke("sweep", "launch", "tune_logmel_cnn", "--wandb", "disabled", *given)
        assert ended.code == 2, ended
        assert "device: got tpu" in ended.err or "has BatchNorm" in ended.err
    assert not (tmp_path / "runs").exists()
