"""What a page launches is planned as it is written, and then run smaller.

It is the public calls that are replaced, which commands and snippets make alike.
"""

import re
import threading
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import audiocls
from audiocls.audio.fetch import Fetched, Origin
from helpers.layouts import LAYOUTS

PLANNED = {"recipe", "set", "seeds", "folds", "arms", "effect", "runs", "per_device", "devices"}
"""Keywords of a launch that its plan has as well."""
SUBMITTED = {"executor", "profile", "slurm", "workers"}
"""Those that a plan has of a job array."""
ON_RAY = {"ray_address", "cpus_per_worker", "gpus_per_worker"}


def run_smaller(patch: pytest.MonkeyPatch) -> None:
    """Have all that trains do so with the first seeds and folds, and in this process.

    It is quiet at W&B unless a page says otherwise, and has the CPU for any other device.
    """
    for name in ("launch", "noise", "push"):
        patch.setattr(audiocls, name, _smaller(getattr(audiocls, name)))
    patch.setattr(audiocls, "train", _here(audiocls.train))
    patch.setattr(audiocls, "agent", _agent(audiocls.agent))
    patch.setattr(audiocls, "serve", _serve(audiocls.serve))
    patch.setattr("audiocls.audio.fetch.fetch", _fetched)


def _smaller(call: Callable[..., Any]) -> Callable[..., Any]:
    def smaller(name: str, **given: Any) -> Any:
        if call.__name__ == "launch":
            is_submitted = given.get("executor") == "slurm"
            known = PLANNED | (SUBMITTED if is_submitted else set())
            here = {} if is_submitted else _on_cpu(given)
            audiocls.plan(name, **{key: given[key] for key in known & given.keys()} | here)
        return call(name, **_without_ray(given) | _where(call, given) | _few(name, given))

    return smaller


def _without_ray(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords without Ray's, whose nodes `tests/test_ray.py` has."""
    return {key: value for key, value in given.items() if key not in ON_RAY}


def _here(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *names, **given: call(*names, **given | _where(call, given))


def _agent(call: Callable[..., Any]) -> Callable[..., Any]:
    def agent(sweep: Any, **given: Any) -> Any:
        return call(sweep, **{**given, "count": 2, "workers": 1, "devices": "cpu"})

    return agent


def _serve(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `serve` on any free port, whose page is looked at once and then stopped."""

    def serve(**given: Any) -> Any:
        page = call(**{**given, "port": 0})
        with urllib.request.urlopen(page.address) as answer:
            assert b"<html" in answer.read()
        threading.Timer(0.1, page.stop).start()
        return page

    return serve


def _fetched(origin: Origin, root: Path, *_: Any) -> Fetched:
    """Return what a download leaves, with a few clips."""
    folder = root / origin.folder
    if was_there := folder.exists():
        return Fetched(folder, was_there)
    folder.mkdir(parents=True)
    LAYOUTS[origin.name](folder)
    return Fetched(folder, was_there)


def _few(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first two seeds and folds of a launch, of folds that are not given the first.

    Of a sweep they are two trials. A program is a process of its own, which `inline` would not be.
    """
    try:
        question = audiocls.read_ablation(name)
    except audiocls.AudioclsError:
        is_ours = "audiocls" in audiocls.read_sweep(name).get("command", ())
        return {"count": 2} if is_ours else {"count": 2, "executor": "local"}
    seeds, folds = given.get("seeds"), given.get("folds")
    few = {
        "seeds": _first_two(question.blocks.seed if seeds is None else seeds),
        "folds": _first_two(question.blocks.fold[:1] if folds is None else folds),
    }
    few |= {"max_pairs": 2} if given.get("max_pairs") else {}
    return few | ({"executor": "local"} if question.is_program else {})


def _first_two(numbers: Any) -> Any:
    if not isinstance(numbers, str):
        return list(numbers)[:2]
    few = re.sub(r"(\d+)\.\.(\d+)", lambda m: f"{m[1]},{min(int(m[1]) + 1, int(m[2]))}", numbers)
    return ",".join(few.split(",")[:2])


def _on_cpu(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands in for devices that this machine does not have."""
    return {} if given.get("devices", "auto") in ("auto", "cpu") else {"devices": "cpu"}


def _where(call: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return who trains, on what, and what W&B gets of it."""
    words = _on_cpu(given)
    if call.__name__ == "push":
        return words
    words["wandb"] = given.get("wandb") or "disabled"
    takes_workers = given.get("devices_per_trial", 1) > 1 or given.get("per_device", "1") != "1"
    if given.get("executor", "local") in ("local", "ray"):
        words["executor"] = "local" if takes_workers else "inline"
    is_submitted = given.get("executor") == "slurm" and not given.get("dry_run")
    return words | ({"detach": True} if is_submitted else {})
