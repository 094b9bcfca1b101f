"""Behaviour that must not change, frozen under `tests/golden/`, and how it is asked for.

`tests/test_frozen.py` asks for it again and compares: ids of trials, stored studies and their
reports, metrics, random draws, W&B runs, the command line. What has to be imported from inside
the package is imported here alone.

Golden files are written again only where behaviour is changed on purpose, and that change is then
seen in the diff: `FREEZE=1 pytest tests/test_frozen.py -k SECTION`. `FREEZE=studies` first records
the stored studies anew, which is right only if old studies need no longer be readable.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from typer.testing import CliRunner

from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.batches import training_batches
from audiocls.cli import app
from audiocls.seeding import seed_of
from helpers.frozen_studies import QUIET

GOLDEN = Path(__file__).parents[1] / "golden" / "frozen"
STUDIES = GOLDEN.with_name("studies")
IS_FREEZING = "FREEZE" in os.environ
TOLERANCE = 1e-3
UNSTEADY = re.compile(r".*/sha256|/metrics/.*|/last row/val/(?!loss).*")
"""What rounding can change by any amount, told by its place: digests; ranks of clips whose logits
are all but tied after two epochs, and what is measured at an epoch that was chosen by them."""


def check(name: str, got: Any) -> None:
    """Compare with the golden file of that name, or write it where behaviour is being frozen.

    Bits depend on the processor's instructions and on the libraries: on a machine like the one
    that recorded, texts and numbers must agree exactly, elsewhere numbers within `TOLERANCE`.
    """
    file = GOLDEN / f"{name}.json"
    text = got if isinstance(got, str) else json.dumps(got, indent=1, sort_keys=True) + "\n"
    if IS_FREEZING:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    frozen = file.read_text(encoding="utf-8")
    if platform() == golden("platform"):
        assert text == frozen
    else:
        found = deviations(json.loads(text), json.loads(frozen))
        assert not found, "\n".join(found)


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def platform() -> dict[str, str]:
    """What the last bits of a metric depend on."""
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "processor": _processor(),
    }


def _processor() -> str:
    """Vendor, family and model: libraries choose their kernels by them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = (re.search(rf"^{key}\s*: (.*)$", text, re.M) for key in ("vendor_id", "cpu family"))
    model = re.search(r"^model\s*: (.*)$", text, re.M)
    return " ".join(match[1] for match in (*found, model) if match)


def deviations(got: Any, frozen: Any, at: str = "") -> list[str]:
    """Where two plain values differ by more than rounding."""
    if UNSTEADY.fullmatch(at):
        return []
    if isinstance(frozen, dict) and isinstance(got, dict) and got.keys() == frozen.keys():
        return [d for k in frozen for d in deviations(got[k], frozen[k], f"{at}/{k}")]
    if isinstance(frozen, list) and isinstance(got, list) and len(got) == len(frozen):
        pairs = zip(got, frozen, strict=True)
        return [d for i, pair in enumerate(pairs) for d in deviations(*pair, f"{at}/{i}")]
    if isinstance(frozen, float) and isinstance(got, float):
        is_near = math.isclose(got, frozen, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        return [] if is_near else [f"{at}: got {got}, frozen {frozen}"]
    return [] if got == frozen else [f"{at}: got {got!r}, frozen {frozen!r}"]


# Asking by the command line.


def run(*words: str) -> tuple[int, str]:
    """Exit code and stdout of a command run in this process."""
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def said(*words: str) -> str:
    """The stdout of a command that ends well."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result.stdout


def planned(name: str, runs: Path) -> dict[str, Any]:
    """Ids of an ablation's trials, read from the study that a launch without time leaves."""
    assert run("sweep", "launch", name, *QUIET, "--max-hours", "0", "--runs", str(runs))[0] == 124
    text = (runs / name / "study.yaml").read_text(encoding="utf-8")
    block = re.search(r"^cells: \|\n((?:  .*\n)+)", text, re.M)
    assert block, text
    cells = [line.strip().split(" ", 3) for line in block[1].splitlines()]
    first = {arm: trial for trial, *_, arm in reversed(cells)}
    ids = "\n".join(sorted(trial for trial, *_ in cells))
    return {"num": len(cells), "first": first, "sha256 of ids": _sha256(ids.encode())}


def proposed(name: str, runs: Path) -> list[Any]:
    """The first proposals of a search, with their ids."""
    assert run("sweep", "launch", name, *QUIET, "--max-hours", "0", "--runs", str(runs))[0] == 124
    lines = (runs / name / "proposals.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def trained(recipe: str, runs: Path, *words: str, wandb: str = "disabled") -> Path:
    """The folder of the trial that `audiocls train` leaves."""
    said("train", "--recipe", recipe, *words, *QUIET[:-1], wandb, "--runs", str(runs))
    (trial,) = (runs / recipe / "trials").iterdir()
    return trial


def assignments(changes: Mapping[str, Any]) -> list[str]:
    """Dotted `KEY=VALUE` words of the command line; a part's name before its other options."""
    return [f"{key}={json.dumps(value)}" for key, value in _leaves(changes)]


def result_of(trial: Path) -> dict[str, Any]:
    """All of a trial's record and history that no clock and no machine has a part in."""
    record = json.loads((trial / "record.json").read_text())
    cost = {k: v for k, v in record.pop("cost").items() if k not in CLOCKED}
    origin = record.pop("provenance")
    losses = [float.fromhex(loss) for loss in record.pop("first_losses")]
    *_, last = map(json.loads, (trial / "history.jsonl").read_text().splitlines())
    last.pop("seconds")
    kept = {"data": origin["data"], "protocol": origin["protocol"]}
    return {**record, **kept, "cost": cost, "first_losses": losses, "last row": last}


CLOCKED = ("wall_s", "process_s", "peak_memory_mib")


def spellings() -> dict[str, Any]:
    """Every command with its options and its arguments."""
    return dict(_commands(typer.main.get_command(app), ()))


def _commands(command: Any, path: tuple[str, ...]) -> list[tuple[str, Any]]:
    options, arguments = {}, []
    for parameter in command.params:
        kind = "flag" if getattr(parameter, "is_flag", False) else "value"
        if parameter.param_type_name == "option":
            names = [*parameter.opts, *parameter.secondary_opts]
            options |= dict.fromkeys(names, "values" if parameter.multiple else kind)
        else:
            arguments.append({"nargs": parameter.nargs, "is required": parameter.required})
    own = (" ".join(path), {"options": options, "arguments": arguments})
    children = getattr(command, "commands", {}).items()
    return [own, *(found for name, each in children for found in _commands(each, (*path, name)))]


# Asking inside the package.

SEEDS = [(0, 1, "init"), (0, 1, "order"), (1, 5, "augment", 3), (12345, 2, "dropout", 100)]


def draws() -> dict[str, Any]:
    """Seeds of purposes, and what clips draw under several seeds and purposes."""
    clips = torch.tensor([0, 1, 7, 2**40])
    sources = {
        (s, p): (ClipRNG(s, clips), p) for s in (0, 99, 2**62) for p in ("gain", "time_mask")
    }
    return {
        "seeds": [[list(key), str(seed_of(*key))] for key in SEEDS],
        "draws": {f"{seed} {p}": _drawn(*source) for (seed, p), source in sources.items()},
    }


def _drawn(source: ClipRNG, purpose: str) -> dict[str, Any]:
    return {
        "uniform": source.uniform(purpose, 3).tolist(),
        "normal": source.normal(purpose, 3).tolist(),
        "between": source.between(purpose, -2.0, 5.0).tolist(),
        "integers": source.integers(purpose, 1000, 5).tolist(),
        "chance": source.bernoulli(purpose, 0.5).tolist(),
    }


def first_step(parts: Any) -> dict[str, Any]:
    """Initial weights, and the first two batches of the first two epochs."""
    weights = {name: _content(value) for name, value in parts.classifier.state_dict().items()}
    batches = {
        f"{epoch}/{number}": {"inputs": _content(batch.inputs), "targets": _content(batch.targets)}
        for epoch in (0, 1)
        for number, batch in zip((0, 1), _batches(parts, epoch), strict=False)
    }
    return {"weights": weights, "batches": batches}


def _batches(parts: Any, epoch: int) -> Any:
    seed = parts.seed("order", epoch)
    return training_batches(parts.dataset, parts.split.train, parts.batching, epoch, seed)


def _content(values: torch.Tensor) -> dict[str, Any]:
    return {
        "shape": list(values.shape),
        "type": str(values.dtype),
        "mean": float(values.double().mean()),
        "sha256": _sha256(values.contiguous().numpy().tobytes()),
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def logged(found: Any) -> dict[str, Any]:
    """What a W&B run is called, and all keys of ours that it has."""
    names = ("id", "project", "group", "job_type", "name", "notes", "sweep_id", "step_metrics")
    return {
        **{name: getattr(found, name) for name in names},
        "tags": list(found.tags),
        "exit code": found.exit_code,
        "config": _own(key for key, _ in _leaves(found.config)),
        "summary": _own(found.summary),
        "history": [_own(key.partition(".")[0] for key in row) for row in found.history],
    }


def _own(keys: Iterable[str]) -> list[str]:
    """Without those that the client adds."""
    return sorted({key for key in keys if not key.startswith("_")})


def _leaves(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys with the values that are no mappings, or empty ones."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
