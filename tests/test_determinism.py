"""What a GPU computes the same each time, as far as that shows without one."""

import pytest
import torch
from helpers.recipes import TINY
from torch.nn import functional as F

from audiocls.config import resolve
from audiocls.errors import ConfigError
from audiocls.execution.devices import worker_environment
from audiocls.models.eat.convolutions import reflected, reflected_by_slices
from audiocls.training import state as state_module
from audiocls.training.determinism import WORKSPACE, determinism
from audiocls.training.device import resolve_device
from audiocls.training.losses import code_loss, mean_over_rows

GPU = torch.device("cuda")


@pytest.mark.parametrize("padding", [1, 7, 19])
def test_slices_reflect_as_padding_does_and_so_do_their_gradients(padding):
    frames = torch.randn(2, 3, 20, dtype=torch.float64)
    gradients = []
    for way in (reflected, reflected_by_slices):
        leaf = frames.clone().requires_grad_()
        padded = way(leaf, padding)
        assert torch.equal(padded, F.pad(frames, (padding, padding), mode="reflect"))
        (padded * torch.arange(padded.shape[-1])).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


def test_codes_as_rows_have_the_loss_of_codes_in_sequences():
    logits, codes = torch.randn(2, 3, 8, 5).double(), torch.randint(8, (2, 3, 5))
    torch.testing.assert_close(
        3 * mean_over_rows(logits, codes, 0.1), code_loss(logits, codes, 0.1)
    )


@pytest.fixture
def asked(monkeypatch):
    """What is asked of torch, which is set to nothing in the end."""
    calls = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", calls.append)
    for name in WORKSPACE:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return calls


def test_a_trial_on_a_gpu_asks_for_deterministic_algorithms_unless_told_not_to(asked):
    with determinism(True, GPU):
        assert asked == [True]
        assert not torch.backends.cudnn.benchmark
    assert asked == [True, False]
    with determinism(False, GPU), determinism(True, torch.device("cpu")):
        assert asked == [True, False]


def test_workers_have_the_workspace_that_cublas_needs_for_it():
    assert WORKSPACE.items() <= worker_environment({}, "cpu").items()


def test_an_operation_without_such_an_algorithm_says_which_key_allows_it(asked):
    told = "reflection_pad1d_backward_out_cuda does not have a deterministic implementation, but"
    said = r"reflection_pad1d.*train.deterministic=false"
    with pytest.raises(ConfigError, match=said), determinism(True, GPU):
        raise RuntimeError(told)
    with pytest.raises(RuntimeError, match="another"), determinism(True, GPU):
        raise RuntimeError("another")


def test_bf16_is_refused_where_it_is_emulated(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda emulated: asked.append(emulated))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "T4")
    config = resolve([TINY, {"train.precision": "bf16"}], "")
    with pytest.raises(ConfigError, match=r"got bf16, which T4 lacks; use fp16 or fp32"):
        state_module.loss_scaling(config, GPU)
    assert asked == [False]


@pytest.mark.parametrize("device", ["gpu", "cuda:1", "xla"])
def test_a_device_that_cannot_work_is_refused(device):
    with pytest.raises(
        ConfigError, match=r"device: got .*'auto', 'cpu', 'cuda', 'mps', 'tpu', 'xpu'"
    ):
        resolve([TINY, {"device": device}], "")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="torch does not see; allowed: auto, cpu"):
        resolve_device("cuda")
