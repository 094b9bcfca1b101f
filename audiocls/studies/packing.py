"""Which trials of a plan a launch would train at once with `--per-device`, and why others not."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import DataSet
from audiocls.design import Plan
from audiocls.errors import UsageError
from audiocls.execution.devices import PerDevice, Slots, kind_name, kind_of, per_device
from audiocls.execution.slurm.profile import SlurmProfile, num_gpus
from audiocls.execution.temporary import cache_folder
from audiocls.formatting import join_names, plural
from audiocls.studies.options import PROGRAMS_ALONE, LaunchOptions
from audiocls.studies.request import AblationRequest
from audiocls.studies.runnable import Configs, readable_tables
from audiocls.studies.sweep_request import SweepRequest
from audiocls.training.packing import Form, form_on, is_free, obstacle, shape_key

MOST_ARMS = 6
"""That a sentence names."""
ONE_BY_ONE = "none: --per-device auto packs on CUDA devices alone, a number such as 8 anywhere"
IN_FORM = {"fused": "fused into one network", "graph": "as branches of one graph"}


def at_once(number: PerDevice) -> str:
    """Return how many trials are trained at once, in words."""
    return "as many as fit" if number == "auto" else f"up to {number}"


@dataclass(frozen=True)
class Shape:
    """Trials that can be trained at once."""

    num_trials: int
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Packing:
    """The trials of a plan by shape, where a worker trains several at once."""

    per_device: PerDevice
    slots: Slots
    """Of this machine; none where trials are trained elsewhere."""
    form: Form
    shapes: tuple[Shape, ...] = ()
    alone: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Why trials are trained alone → their arms."""

    def facts(self) -> dict[str, str]:
        """Return placement and packs as sentences by name."""
        place = _placement(self.slots, 1 if self.is_one_by_one else self.per_device)
        if self.per_device == 1:
            return place
        return place | ({"packs": ONE_BY_ONE} if self.is_one_by_one else self._packs())

    @property
    def is_one_by_one(self) -> bool:
        """Whether nothing is packed after all: on cores it gains nothing, so `auto` leaves it."""
        return self.per_device == "auto" and self.form != "graph"

    def _packs(self) -> dict[str, str]:
        how = f"{at_once(self.per_device)} at once, {IN_FORM[self.form]}: "
        packs = [
            f"{plural(each.num_trials, 'trial')} of {_named(each.arms)}" for each in self.shapes
        ]
        lone = [f"{_named(arms)} ({reason})" for reason, arms in self.alone.items()]
        return {
            **({"packs": how + "; ".join(packs)} if packs else {}),
            **({"alone": "; ".join(lone)} if lone else {}),
        }

    def values(self) -> dict[str, object]:
        """Return the same as plain values."""
        return {
            "per_device": self.per_device,
            "devices": list(self.slots),
            "execution": self.form,
            "shapes": [
                {"num_trials": each.num_trials, "arms": list(each.arms)} for each in self.shapes
            ],
            "alone": {reason: list(arms) for reason, arms in self.alone.items()},
        }


@dataclass(frozen=True)
class SweepPacking:
    """What trials of a sweep must agree in to be trained at once."""

    per_device: PerDevice
    slots: Slots
    """Of this machine; none where trials are trained elsewhere."""
    apart: tuple[str, ...]
    """Parameters of the sweep, each of whose values is a shape of its own."""

    def facts(self) -> dict[str, str]:
        """Return placement and packs as sentences by name."""
        place = _placement(self.slots, self.per_device)
        if self.per_device == 1:
            return place
        same = f"that agree in {join_names(self.apart, MOST_ARMS)}" if self.apart else "of all"
        return place | {"packs": f"{at_once(self.per_device)} at once, {same}"}

    def values(self) -> dict[str, object]:
        """Return the same as plain values."""
        apart, devices = list(self.apart), list(self.slots)
        return {"per_device": self.per_device, "devices": devices, "apart": apart}


def _placement(slots: Slots, number: PerDevice) -> dict[str, str]:
    """Return where trials are trained, and how many at once; nothing where that is elsewhere."""
    kinds = Counter(map(kind_of, slots))
    where = ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
    most = "one at a time" if number == 1 else f"{at_once(number)} at once"
    return {"placement": f"local: {where}, {most} on each"} if where else {}


@dataclass(frozen=True)
class PackingRequest:
    """The devices and packs that a plan is asked for."""

    per_device: PerDevice
    options: LaunchOptions | None
    """Of a launch on this machine; none where trials are trained elsewhere."""
    form_elsewhere: Form = "fused"

    @classmethod
    def checked(
        cls, executor: str, devices: str, per_device_text: str, profile: SlurmProfile | None
    ) -> "PackingRequest | None":
        """Return the request; none where neither devices nor packs were asked for.

        Raises `UsageError` for devices that are not there, and executors without packs.
        """
        number = per_device(per_device_text)
        if number == 1 and (devices == "auto" or executor not in ("local", "inline")):
            return None
        if profile is not None:
            return cls(number, None, form_on("cuda" if num_gpus(profile.options) else "cpu"))
        options = LaunchOptions(
            Path(), executor=executor, devices=devices, per_device=per_device_text
        )
        slots = options.slots()
        if executor == "ray":
            return cls(number, None, form_on(kind_name(slots[0])))
        return cls(number, options)

    def of_ablation(self, request: AblationRequest) -> Packing:
        """Return how the trials of an ablation would be placed and packed."""
        is_native = not request.ablation.is_program
        self._require_possible(is_native)
        slots = self._slots(is_native)
        if self.per_device == 1:
            return Packing(1, slots, "fused")
        chosen, configs = request.plan()
        return self.of_plan(chosen, configs, readable_tables(configs, cache_folder()), slots)

    def of_sweep(self, request: SweepRequest) -> SweepPacking:
        """Return how the trials of a sweep would be packed, as far as that is known before."""
        is_native = request.native is not None
        self._require_possible(is_native)
        apart = tuple(name for name in request.sweep.parameters if not is_free(name))
        return SweepPacking(self.per_device, self._slots(is_native), apart)

    def _require_possible(self, is_native: bool) -> None:
        if not is_native and self.per_device != 1:
            raise UsageError(PROGRAMS_ALONE)

    def _slots(self, is_native: bool) -> Slots:
        if self.options is None:
            return []
        slots = self.options.slots(is_native)
        return slots[:1] if self.options.executor == "inline" else slots

    def of_plan(
        self,
        chosen: Plan,
        configs: Configs,
        tables: Mapping[DataSet, ClipTable | None],
        slots: Slots,
    ) -> Packing:
        """Return how trials would be packed; where clips are unknown, folds count as alike."""
        form = form_on(kind_name(slots[0])) if slots else self.form_elsewhere
        reasons = {arm: obstacle(config, form) for arm, config in configs.items()}
        keys = {arm: shape_key(config.model_dump(mode="json")) for arm, config in configs.items()}
        groups: dict[object, list[str]] = defaultdict(list)
        for arm, _, fold in chosen.cells:
            if not reasons[arm]:
                num_clips = _num_clips(configs[arm].data, fold, tables)
                groups[keys[arm], num_clips].append(arm)
        alone: dict[str, list[str]] = defaultdict(list)
        for arm in filter(reasons.get, reasons):
            alone[reasons[arm]].append(arm)
        for [arm, *others] in groups.values():
            alone["no other trial has its shape"] += [] if others else [arm]
        shapes = (Shape(len(arms), tuple(dict.fromkeys(arms))) for arms in groups.values())
        return Packing(
            self.per_device,
            slots,
            form,
            tuple(shape for shape in shapes if shape.num_trials > 1),
            {reason: tuple(dict.fromkeys(arms)) for reason, arms in alone.items() if arms},
        )


def _num_clips(data: DataSet, fold: int, tables: Mapping[DataSet, ClipTable | None]) -> int | None:
    """Return how many clips a fold has to train on, if that is known."""
    table = tables.get(data)
    return None if table is None else len(table.split(fold, data.validation).train)


def _named(arms: tuple[str, ...]) -> str:
    return join_names(arms, MOST_ARMS)
