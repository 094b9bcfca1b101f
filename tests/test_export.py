"""An exported file computes what the checkpoint computes, and says how to use it."""

import io
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.trials import TRIALS, TrainedTrial
from torch import nn
from torch.torch_version import TorchVersion

from audiocls.audio.datasets import AudioSet
from audiocls.audio.features import LogMel
from audiocls.errors import UsageError
from audiocls.training import export as exporting
from audiocls.training import onnx_file, torchscript_file
from audiocls.training.checkpoint import Checkpoint
from audiocls.training.export import FORMS, TOLERANCE, export, metadata
from audiocls.training.stft_kernels import StftByKernels

EVERY_FORM = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module", params=["logmel", "raw", "hifigan"])
def checkpoint(request, tmp_path_factory, cache) -> Checkpoint:
    changes = TRIALS[request.param]
    return TrainedTrial(changes, tmp_path_factory.mktemp("trial"), cache).checkpoint


@pytest.fixture(scope="module")
def any_checkpoint(tmp_path_factory, cache) -> Checkpoint:
    return TrainedTrial({}, tmp_path_factory.mktemp("trial"), cache).checkpoint


@pytest.fixture(scope="module")
def exported(any_checkpoint) -> dict[str, bytes]:
    """Form → the file of the same checkpoint; ONNX takes seconds to write."""
    return {form: export(any_checkpoint, form)[0] for form in FORMS}


def waves(checkpoint: Checkpoint, num_clips: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return 0.3 * torch.randn(num_clips, checkpoint.num_samples, generator=generator)


@EVERY_FORM
def test_waves_become_the_checkpoints_logits_for_any_number_of_clips(checkpoint, form):
    content, difference = export(checkpoint, form)
    run = FORMS[form][1](content)
    as_predicted(checkpoint, run)
    for num_clips in (1, 2, 7):
        x = waves(checkpoint, num_clips)
        with torch.no_grad():
            expected = checkpoint.classifier(checkpoint.front_end(x))
        torch.testing.assert_close(run(x), expected, atol=TOLERANCE, rtol=TOLERANCE)
    assert 0 <= difference < TOLERANCE


def as_predicted(checkpoint: Checkpoint, run) -> None:
    """Whatever the length, the probabilities are those of windows padded with zeros, averaged."""
    size = checkpoint.num_samples
    for length in (1, size // 3, size - 1, size + 1, 3 * size - 5):
        x = 0.3 * torch.randn(2, length, generator=torch.Generator().manual_seed(length))
        padded = nn.functional.pad(x, (0, -length % size)).reshape(2, -1, size)
        expected = np.mean([checkpoint.probabilities(w.numpy()) for w in padded.unbind(1)], axis=0)
        assert run(x).detach().softmax(1).numpy() == pytest.approx(expected, abs=1e-4), length


@EVERY_FORM
def test_labels_that_do_not_exclude_each_other_are_averaged_on_their_own(any_checkpoint, form):
    data = AudioSet(sample_rate=16000, duration_s=1.0)
    config = any_checkpoint.config.model_copy(update={"data": data})
    several = replace(any_checkpoint, config=config)
    x = waves(several, 2)
    expected = several.probabilities(x.numpy()).mean(axis=0)
    content, _ = export(several, form)
    found = FORMS[form][1](content)(x.reshape(1, -1)).detach().sigmoid().numpy()
    assert found[0] == pytest.approx(expected, abs=1e-4)


@EVERY_FORM
def test_without_the_front_end_features_go_in(any_checkpoint, form):
    content, _ = export(any_checkpoint, form, with_front_end=False)
    features = any_checkpoint.front_end(waves(any_checkpoint, 3))
    with torch.no_grad():
        expected = any_checkpoint.classifier(features)
    torch.testing.assert_close(FORMS[form][1](content)(features), expected, atol=1e-5, rtol=1e-4)


def test_an_onnx_file_names_its_input_its_labels_and_its_rate(any_checkpoint, exported):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported["onnx"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["labels"]) == list(any_checkpoint.labels)
    assert int(facts["sample_rate"]) == any_checkpoint.config.data.sample_rate
    [given], [got] = session.get_inputs(), session.get_outputs()
    assert (given.name, len(given.shape)) == ("waves", 2)
    assert (got.name, got.shape[1]) == ("logits", len(any_checkpoint.labels))
    assert all(isinstance(each, str) for each in given.shape)  # names: clips and samples are free


@pytest.mark.filterwarnings("ignore:.*torch.jit.load.*")
def test_a_torchscript_file_holds_its_labels_and_its_rate(any_checkpoint, exported):
    facts = dict.fromkeys(("labels", "sample_rate"), "")
    torch.jit.load(io.BytesIO(exported["torchscript"]), _extra_files=facts)
    assert json.loads(facts["labels"]) == list(any_checkpoint.labels)
    assert int(facts["sample_rate"]) == any_checkpoint.config.data.sample_rate


def test_the_metadata_says_what_goes_in_and_what_the_logits_are(any_checkpoint):
    assert metadata(any_checkpoint, with_front_end=True)["input"] == "waves"
    assert metadata(any_checkpoint, with_front_end=False)["input"] == "features"
    assert metadata(any_checkpoint, with_front_end=True)["output"] == "logits, softmax"


@EVERY_FORM
def test_a_file_that_computes_something_else_is_refused(
    any_checkpoint, exported, form, monkeypatch
):
    load = FORMS[form][1]
    wrong = (lambda *_: exported[form], lambda content: lambda x: load(content)(x) + 0.1)
    monkeypatch.setitem(exporting.FORMS, form, wrong)
    with pytest.raises(UsageError, match=r"differ from the checkpoint's by 0\.1"):
        export(any_checkpoint, form)


class HoldsTheNumberOfClips(nn.Module):
    """A length of Python is a constant for every tracer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, torch.zeros(len(x), 3)], dim=1)


@EVERY_FORM
def test_a_network_that_holds_the_number_of_clips_is_refused(any_checkpoint, form):
    head = nn.Sequential(any_checkpoint.classifier, HoldsTheNumberOfClips()).eval()
    with pytest.raises(UsageError, match=r"inference fails on 2 clips.*Nothing was written"):
        export(replace(any_checkpoint, classifier=head), form)


class SizedByItsValues(nn.Module):
    """What no exporter can express: how often it loops depends on the values that go in."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while x.sum() > 0:
            x = x - 1
        return x


def test_what_onnx_cannot_express_is_refused_with_the_reason_and_the_other_form():
    with pytest.raises(UsageError, match=r"ONNX cannot express .*--format torchscript"):
        onnx_file.export(SizedByItsValues().eval(), torch.ones(2, 3), "waves", {})


class SaysItsShape(nn.Module):
    """Refused by the tracer, which wants tensors out."""

    def forward(self, x: torch.Tensor) -> str:
        return str(x.shape)


def test_what_torchscript_cannot_express_is_refused_with_the_reason_and_the_other_form():
    with pytest.raises(UsageError, match=r"(?s)TorchScript cannot express .*--format onnx"):
        torchscript_file.export(SaysItsShape(), torch.ones(2, 3), "waves", {})


def test_a_torch_whose_exporter_is_too_old_is_one_clear_error(any_checkpoint, monkeypatch):
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.6.0+cpu"))
    with pytest.raises(UsageError, match=r"needs torch 2\.8 or newer; got 2\.6\.0\+cpu"):
        export(any_checkpoint, "onnx")


def test_missing_packages_are_one_clear_error(any_checkpoint, monkeypatch):
    monkeypatch.setattr(onnx_file, "NEEDED", ("onnx", "nowhere_to_be_found"))
    with pytest.raises(UsageError, match=r"needs nowhere_to_be_found: pip install .*\[export\]"):
        export(any_checkpoint, "onnx")
    assert "nowhere_to_be_found" not in sys.modules


@pytest.mark.parametrize(("n_fft", "window"), [(400, 400), (400, 300), (401, 401), (1200, 1000)])
def test_a_transform_by_kernels_is_torchs_own(n_fft, window):
    waves = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0)).double()
    options = {"win_length": window, "window": torch.hann_window(window), "return_complex": True}
    as_doubles = options | {"window": torch.hann_window(window).double()}
    expected = torch.stft(waves, n_fft, 160, **as_doubles)
    with StftByKernels():
        found = torch.stft(waves.float(), n_fft, 160, **options)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max() / expected.abs().max()) < 3e-6


def test_powers_of_two_are_left_to_the_runtime():
    waves, window = torch.ones(1, 64), torch.hann_window(16)
    with StftByKernels():
        found = torch.stft(waves, 16, 4, window=window, return_complex=True)
    assert torch.equal(found, torch.stft(waves, 16, 4, window=window, return_complex=True))


@pytest.mark.parametrize("n_fft", [256, 400])
def test_a_pure_tone_keeps_its_silent_bands_in_onnx(n_fft):
    """The hardest case: logarithms of what is 120 dB below the tone."""
    front_end = LogMel(n_fft=n_fft).build(16000).eval()
    tone = 0.5 * torch.sin(0.3 * torch.arange(4000)).unsqueeze(0)
    content = onnx_file.export(front_end, tone.repeat(2, 1), "waves", {})
    torch.testing.assert_close(onnx_file.scorer(content)(tone), front_end(tone), atol=0.01, rtol=0)
