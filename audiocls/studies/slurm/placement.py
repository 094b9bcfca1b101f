"""Where the trials of a plan would be trained on SLURM, and what that would cost."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from audiocls.execution.slurm.profile import SlurmProfile, hours_of, num_gpus
from audiocls.formatting import plural
from audiocls.store import Record


@dataclass(frozen=True)
class Placement:
    """The tasks of a job array, and what they would use."""

    num_tasks: int
    num_devices: int
    """Of each task: a trial is trained on each at a time."""
    device: str
    """`GPU` or `core`."""
    limit_h: float | None
    """Of a task, in hours, until it goes back into the queue; none where SLURM's own default is."""
    where: str
    num_trials: int | None
    trial_s: float | None
    """Mean seconds of a finished trial on such devices; unknown where there is none."""

    @property
    def device_h(self) -> float | None:
        """Hours of one device that the trials take, as far as that is known."""
        if self.trial_s is None or self.num_trials is None:
            return None
        return self.num_trials * self.trial_s / 3600

    def facts(self) -> dict[str, str]:
        """Return the placement and its cost as sentences by name."""
        each = plural(self.num_devices, self.device)
        tasks = f"{plural(self.num_tasks, 'task')} × {each}{self.where}"
        known = f"{self.device} hours: "
        if (hours := self.device_h) is None:
            known += "known once the first trial has run"
        else:
            spread_h = hours / (self.num_tasks * self.num_devices)
            known += f"about {hours:.3g}, in about {spread_h:.3g} h once all tasks run"
        if self.limit_h is not None:
            most = self.num_tasks * self.num_devices * self.limit_h
            known += f"; {most:.3g} until every task has reached its time limit once"
        return {"placement": f"SLURM: {tasks}", "use": known}

    def values(self) -> dict[str, object]:
        """Return the same as plain values."""
        return {
            "executor": "slurm",
            "num_tasks": self.num_tasks,
            "devices_per_task": self.num_devices,
            "device": self.device,
            "limit_hours": self.limit_h,
            "device_hours": self.device_h,
        }


def placement_of(
    profile: SlurmProfile,
    num_tasks: int,
    num_trials: int | None,
    known: Iterable[Record],
    devices: str = "auto",
) -> Placement:
    """Return where `num_trials` would be trained; `known` are trials that have run before.

    A launch submits no more tasks than there are trials.
    """
    num_tasks = min(num_tasks, num_trials or num_tasks)
    gpus = 0 if devices == "cpu" else num_gpus(profile.options)
    cores = profile.options.get("cpus-per-task", "1")
    alike = [each for each in known if (each.provenance.device == "cpu") == (not gpus)]
    seconds = [each.cost.wall_s for each in alike if each.cost.wall_s is not None]
    named = [f"partition {name}" for name in filter(None, [profile.options.get("partition")])]
    named += [f"time limit {limit}" for limit in filter(None, [profile.options.get("time")])]
    return Placement(
        num_tasks,
        gpus or (int(cores) if cores.isdecimal() else 1),
        "GPU" if gpus else "core",
        hours_of(profile.options.get("time", "")),
        f" ({', '.join(named)})" if named else "",
        num_trials,
        fmean(seconds) if seconds else None,
    )
