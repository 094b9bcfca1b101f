"""Accelerators of every maker are found, given to workers, and named where torch cannot use them.

The makers' files and the parts of torch are fakes: no accelerator was seen at work.
"""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import pytest
import torch
from helpers.processes import invoke
from helpers.recipes import TINY_RECIPE_YAML
from torch import Tensor

from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.features.normalise import Standardise, standardise
from audiocls.console.progress import TerminalDisplay
from audiocls.errors import ConfigError, UsageError
from audiocls.execution import accelerators, amd, gpus, health, tpus
from audiocls.execution.accelerators import available_devices, obstacles
from audiocls.execution.device_claims import claimed
from audiocls.execution.devices import kind_of, slots, visible_devices, worker_environment
from audiocls.execution.gpus import Gpu
from audiocls.execution.torch_build import TorchBuild, build_of, torch_build
from audiocls.studies.ablation import one_trial, prepare_ablation
from audiocls.studies.options import LaunchOptions
from audiocls.training import device as device_module
from audiocls.training.device import prepare_device, require_precision, resolve_device

CUDA, CPU = TorchBuild("2.11.0+cu130", cuda="13.0"), TorchBuild("2.11.0+cpu")
ROCM, XPU = TorchBuild("2.11.0+rocm7.2", hip="7.2"), TorchBuild("2.11.0+xpu", xpu="20250301")
VISIBLE = [f"{maker}_VISIBLE_DEVICES" for maker in ("CUDA", "HIP", "ROCR", "TPU")]
VISIBLE += ["TPU_VISIBLE_CHIPS", "ZE_AFFINITY_MASK"]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but cores, whose device files are in a folder."""
    for name in VISIBLE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(device_module.DEVICE_VARIABLE, raising=False)
    monkeypatch.setattr(gpus, "installed_gpus", lambda: ())
    monkeypatch.setattr(amd, "TOPOLOGY", tmp_path / "nodes")
    monkeypatch.setattr(tpus, "BUS", tmp_path / "pci")
    monkeypatch.setattr(tpus, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(accelerators, "CARDS", tmp_path / "drm")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    for each in (amd.installed_amd_gpus, tpus.installed_tpus, accelerators.apple_chip):
        each.cache_clear()


def with_torch(monkeypatch: pytest.MonkeyPatch, build: TorchBuild) -> None:
    monkeypatch.setattr(accelerators, "torch_build", lambda: build)


def with_nvidia(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "installed_gpus", lambda: (Gpu("0", "NVIDIA T4", "GPU-a"),))


def with_amd(machine: Path, count: int) -> None:
    for number in range(count + 1):  # the first node is the CPU
        node = machine / f"nodes/{number}"
        node.mkdir(parents=True)
        (node / "gpu_id").write_text(f"{number * 1000}\n")
        (node / "properties").write_text(f"gfx_target_version 90402\nunique_id {number}\n")


def with_tpus(machine: Path, count: int, model: str = "0x0063") -> None:
    (machine / "dev/vfio").mkdir(parents=True)
    for number in range(count):
        chip = machine / f"pci/0000:00:0{number}.0"
        chip.mkdir(parents=True)
        (chip / "vendor").write_text("0x1ae0\n")
        (chip / "device").write_text(f"{model}\n")
        (chip / "iommu_group").symlink_to(f"/sys/kernel/iommu_groups/{number}")
        (machine / f"dev/vfio/{number}").touch()


def with_torch_tpu(monkeypatch: pytest.MonkeyPatch, needs: str = "torch>=2.11.0,<=2.15.0") -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["numpy>=2", needs])
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.2.0")


def with_apple(monkeypatch: pytest.MonkeyPatch, macos: str = "15.1") -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(platform, "mac_ver", lambda: (macos, ("", "", ""), "arm64"))
    said = subprocess.CompletedProcess([], 0, stdout="Apple M2\n")
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: said)


def test_what_torch_was_built_with_is_read_without_importing_it():
    assert torch_build().version == torch.__version__
    assert torch_build().cuda == (torch.version.cuda or "")
    older = "__version__ = '2.6.0'\ncuda: Optional[str] = '12.4'\nhip: Optional[str] = None\n"
    assert build_of(older) == TorchBuild("2.6.0", cuda="12.4")


def test_a_machine_without_accelerators_has_cores_and_nothing_to_say(monkeypatch):
    with_torch(monkeypatch, CPU)
    assert (available_devices(is_native=True), obstacles()) == ([], [])
    assert set(slots("auto", None, is_native=True)) == {"cpu"}


def test_a_gpu_that_torch_was_not_built_for_is_named_and_not_given_to_our_trials(monkeypatch):
    with_nvidia(monkeypatch)
    with_torch(monkeypatch, CPU)
    assert set(slots("auto", None, is_native=True)) == {"cpu"}
    assert slots("auto", None) == ["cuda:0"]  # a program may have a torch of its own
    (said,) = obstacles()
    assert "NVIDIA T4 cannot be used: torch 2.11.0+cpu was built without CUDA" in said
    with pytest.raises(UsageError, match=r"'cuda:0'; this machine has: auto, cpu\. NVIDIA T4 cann"):
        slots("cuda:0", None, is_native=True)
    with_torch(monkeypatch, CUDA)
    assert slots("auto", None, is_native=True) == slots("cuda", None, is_native=True) == ["cuda:0"]
    with_torch(monkeypatch, TorchBuild())
    assert obstacles() == []  # nothing is trained here


def test_amds_gpus_are_cuda_to_a_torch_with_rocm_and_chosen_by_amds_variables(machine, monkeypatch):
    with_amd(machine, 4)
    with_torch(monkeypatch, ROCM)
    assert slots("auto", None, is_native=True) == [f"cuda:{i}" for i in range(4)]
    assert kind_of("cuda:3") == "gfx942"
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "3,1,0")
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "2,0")
    assert slots("auto", None, is_native=True) == ["cuda:0", "cuda:1"]
    placed = visible_devices(
        {"ROCR_VISIBLE_DEVICES": "3,1,0", "HIP_VISIBLE_DEVICES": "2,0"}, "cuda:0"
    )
    assert placed == {"HIP_VISIBLE_DEVICES": "2", "CUDA_VISIBLE_DEVICES": "2"}
    assert amd.visible_amd_gpus({"ROCR_VISIBLE_DEVICES": "GPU-0000000000000002"})[0].index == "1"
    assert amd.visible_amd_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []
    with_torch(monkeypatch, CUDA)
    assert "AMD gfx942 cannot be used: torch 2.11.0+cu130 was built without ROCm" in obstacles()[0]


def test_a_worker_on_a_tpu_has_one_chip_alone_and_shares_what_was_compiled(machine, monkeypatch):
    with_tpus(machine, 4)
    with_torch(monkeypatch, CPU)
    with_torch_tpu(monkeypatch)
    assert slots("tpu", None, is_native=True) == [f"tpu:{i}" for i in range(4)]
    assert slots("auto", 2, is_native=True) == ["tpu:0", "tpu:1"]
    assert kind_of("tpu:2") == "TPU v5e"
    seen = worker_environment({}, "tpu:2", cache=Path("/cache"))
    assert (seen["TPU_VISIBLE_CHIPS"], seen["TPU_VISIBLE_DEVICES"]) == ("2", "2")
    assert seen["TPU_PROCESS_BOUNDS"] == seen["TPU_CHIPS_PER_PROCESS_BOUNDS"] == "1,1,1"
    assert (seen[tpus.CACHE], seen[device_module.DEVICE_VARIABLE]) == ("/cache/torch_tpu", "tpu")
    assert worker_environment({tpus.CACHE: "gs://ours"}, "tpu:2", cache=Path("/c"))[tpus.CACHE] == (
        "gs://ours"
    )
    monkeypatch.setenv("TPU_VISIBLE_CHIPS", "1,3")
    assert slots("tpu", None, is_native=True) == ["tpu:1", "tpu:3"]
    with pytest.raises(UsageError, match=r"--workers: got 5; TPU v5e takes one trial at a time"):
        slots("tpu", 5, is_native=True)


def test_chips_are_claimed_one_by_one(machine, monkeypatch):
    with_tpus(machine, 2)
    with_torch(monkeypatch, CPU)
    with_torch_tpu(monkeypatch)
    monkeypatch.setattr("tempfile.tempdir", str(machine))
    first, second = (claimed("tpu", 1, is_native=True) for _ in range(2))
    assert (first.devices, second.devices) == (["tpu:0"], ["tpu:1"])
    with pytest.raises(UsageError, match="no TPU is free: tpu-0 is held by process") as raised:
        claimed("tpu", None, is_native=True)
    assert "--workers" not in str(raised.value)
    second.release()
    assert claimed("tpu", 2, is_native=True).devices == ["tpu:1"]
    first.release()


def test_why_a_tpu_cannot_be_used_is_one_sentence(machine, monkeypatch):
    with_torch(monkeypatch, CUDA)
    with pytest.raises(UsageError, match=r"got 'tpu'; this machine has: auto, cpu$"):
        slots("tpu", None, is_native=True)
    with_tpus(machine, 1)
    forget()
    with pytest.raises(UsageError, match=r"torch_tpu is not installed: pip install 'audiocls\[tpu"):
        slots("tpu", None, is_native=True)
    with_torch_tpu(monkeypatch)
    for version in ("2.10.1", "2.16.0+cpu"):
        with_torch(monkeypatch, TorchBuild(version))
        said = rf"torch_tpu 0\.2\.0 works with torch 2\.11 to 2\.15, and here is {version[:4]}"
        with pytest.raises(UsageError, match=said):
            slots("tpu", None, is_native=True)
    for version in ("2.11.0+cpu", "2.15.1"):
        with_torch(monkeypatch, TorchBuild(version))
        assert slots("tpu", None, is_native=True) == ["tpu:0"]


def test_chips_behind_the_older_driver_are_named(machine, monkeypatch):
    (machine / "dev").mkdir()
    (machine / "dev/accel0").touch()
    with_torch(monkeypatch, CPU)
    with_torch_tpu(monkeypatch)
    assert available_devices(is_native=True) == []
    assert "1 × TPU cannot be used: torch_tpu reaches chips by /dev/vfio" in obstacles()[0]


def test_a_mac_trains_one_trial_at_a_time_on_its_gpu_and_programs_on_every_core(monkeypatch):
    with_apple(monkeypatch)
    with_torch(monkeypatch, TorchBuild("2.11.0"))
    assert slots("auto", None, is_native=True) == slots("mps", None, is_native=True) == ["mps"]
    assert set(slots("auto", None)) == {"cpu"}
    with pytest.raises(UsageError, match="--workers: got 2; Apple M2 takes one trial at a time"):
        slots("auto", 2, is_native=True)
    assert worker_environment({}, "mps")[device_module.DEVICE_VARIABLE] == "mps"
    assert worker_environment({}, "cpu")[device_module.DEVICE_VARIABLE] == "cpu"
    with_apple(monkeypatch, "13.6")
    assert "Apple M2 cannot be used: torch needs macOS 14, and here is 13.6" in obstacles()[0]


def test_graphics_of_intel_are_named_unless_they_are_a_part_of_the_cpu(machine, monkeypatch):
    for card, address in (("card0", "0000:00:02.0"), ("card1", "0000:03:00.0")):
        device = machine / f"pci/{address}"
        device.mkdir(parents=True)
        (device / "vendor").write_text("0x8086\n")
        (machine / f"drm/{card}").mkdir(parents=True)
        (machine / f"drm/{card}/device").symlink_to(device)
    with_torch(monkeypatch, CUDA)
    assert obstacles()[0].startswith("Intel GPU cannot be used: torch 2.11.0+cu130 was built witho")
    with_torch(monkeypatch, XPU)
    assert slots("auto", None, is_native=True) == ["xpu:0", "xpu:1"]
    assert visible_devices({}, "xpu:1") == {"ZE_AFFINITY_MASK": "1"}


def test_auto_is_where_the_launch_put_the_worker(monkeypatch):
    monkeypatch.setattr(device_module, "is_available", lambda kind: kind in ("cpu", "mps"))
    assert resolve_device("auto").type == "mps"
    monkeypatch.setenv(device_module.DEVICE_VARIABLE, "cpu")
    assert resolve_device("auto").type == resolve_device("cpu").type == "cpu"
    with pytest.raises(ConfigError, match="got mps, but --devices put this trial on cpu"):
        resolve_device("mps")
    monkeypatch.setenv(device_module.DEVICE_VARIABLE, "xpu")
    with pytest.raises(
        ConfigError, match="got xpu, which torch does not see; allowed: auto, cpu, "
    ):
        resolve_device("auto")


def test_a_launch_of_trials_for_a_device_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = invoke("sweep", "launch", "dropout", "--set", "device=cuda")
    assert ended.code == 2
    assert "device: got cuda, but this launch trains on cpu" in ended.err
    assert not (tmp_path / "runs").exists()


def test_the_doctor_names_what_torch_does_not_use(monkeypatch):
    with_nvidia(monkeypatch)
    with_torch(monkeypatch, CUDA)
    monkeypatch.setattr(device_module, "is_available", lambda kind: False)
    assert "this machine has NVIDIA T4, but torch cannot use it" in health._device_problems()[0]
    monkeypatch.setattr(device_module, "is_available", lambda kind: True)
    assert health._device_problems() == []
    assert health._described("cuda:0") == "cuda:0 (NVIDIA T4), experimental"


def test_the_doctor_says_where_there_is_no_accelerator(monkeypatch):
    with_torch(monkeypatch, CUDA)
    assert health._devices().startswith("cpu; no accelerator that torch could use")
    with_nvidia(monkeypatch)
    assert health._devices() == "cpu, cuda:0 (NVIDIA T4), experimental"


def test_the_doctor_says_which_devices_none_has_seen_at_work(machine, monkeypatch):
    with_tpus(machine, 1)
    assert health._described("tpu:0") == "tpu:0 (TPU v5e), experimental"


def test_precisions_that_torch_lacks_on_a_device_are_refused():
    with pytest.raises(ConfigError, match=r"precision: got bf16, which torch .* lacks on meta"):
        require_precision("bf16", torch.device("meta"))
    require_precision("fp32", torch.device("meta"))
    require_precision("bf16", torch.device("cpu"))


def test_a_device_that_draws_other_numbers_is_refused(monkeypatch):
    device_module._draws_alike.cache_clear()
    assert device_module._draws_alike(torch.device("cpu"))
    device_module._draws_alike.cache_clear()
    # As torch_xla shifts negative words: rounding to zero.
    drawn = ClipRNG._halves
    monkeypatch.setattr(
        ClipRNG,
        "_halves",
        lambda rng, *of: drawn(rng, *of) + (rng.device != "cpu") * (drawn(rng, *of) < 0),
    )
    assert not device_module._draws_alike(torch.device("cpu"))
    device_module._draws_alike.cache_clear()
    monkeypatch.setattr(device_module, "_draws_alike", lambda device: False)
    with pytest.raises(ConfigError, match="cuda computes other random numbers than the CPU"):
        prepare_device(torch.device("cuda"))
    prepare_device(torch.device("cpu"))


def test_draws_of_integers_are_those_of_float64_for_every_draw(monkeypatch):
    every = torch.arange(-(2**23), 2**23, 251, dtype=torch.int32)  # all of them are, too
    every = torch.cat([every, torch.tensor([2**23 - 1], dtype=torch.int32)]).unsqueeze(1)
    monkeypatch.setattr(ClipRNG, "_halves", lambda rng, purpose, size: every)
    rng = ClipRNG(0, torch.arange(1))
    for count in (1, 3, 1000, 2**20 + 1, 2**29 - 1):
        assert torch.equal(rng.integers("x", count), (rng.uniform("x").double() * count).long())


@pytest.fixture
def no_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that passes for a device without float64, and refuses what such a device would."""
    for module in ("features.normalise", "augment.transforms"):
        monkeypatch.setattr(f"audiocls.audio.{module}.has_float64", lambda device: False)


def test_without_float64_statistics_are_the_same_and_a_constant_stays_one(no_float64):
    features = torch.randn(4, 3, 50) * torch.tensor([1.0, 1e-3, 1e3])[:, None] + 1e4
    features[:, 1] = 0.1
    standard = standardise(features, dims=(0, 2))
    assert (standard[:, 1] == 0).all()
    wide = features.double()
    expected = (wide - wide.mean((0, 2), keepdim=True)) / wide.std(
        (0, 2), correction=0, keepdim=True
    )
    assert torch.allclose(standard[:, 2].double(), expected[:, 2], atol=1e-4)
    assert Standardise.fit([features]).mean.device.type == "cpu"


def test_an_epoch_computes_nothing_in_float64_on_the_device(tiny_parts, no_float64, monkeypatch):
    from helpers.steps import train_step

    from audiocls.audio.batches import training_batches

    def refuse(tensor: Tensor) -> Tensor:
        raise AssertionError("this device has no float64")

    changes = {"augment": {"freq_mask": 4, "shift_s": 0.05, "crop": "random"}}
    state = tiny_parts(changes)
    monkeypatch.setattr(Tensor, "double", refuse)
    seed = state.seed("order", 0)
    for batch in training_batches(state.dataset, state.split.train, state.batching, 0, seed):
        assert train_step(state, [batch]).loss.dtype == torch.float32


def test_a_launch_says_which_accelerators_it_leaves_idle_unless_devices_were_chosen(
    monkeypatch, tmp_path, capsys
):
    with_nvidia(monkeypatch)
    with_torch(monkeypatch, CPU)
    (tmp_path / "tiny.yaml").write_text(TINY_RECIPE_YAML)
    trial = one_trial([], recipe=str(tmp_path / "tiny.yaml"))
    said = "NVIDIA T4 cannot be used: torch 2.11.0+cpu was built without CUDA"
    for devices, is_told in (("auto", True), ("cpu", False)):
        options = LaunchOptions(tmp_path / "runs", "disabled", devices=devices)
        prepare_ablation(trial, options, TerminalDisplay())
        assert (said in " ".join(capsys.readouterr().err.split())) is is_told
