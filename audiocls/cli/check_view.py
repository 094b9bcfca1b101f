"""A data set that was checked, as one sees it."""

from typing import TYPE_CHECKING

from audiocls import console
from audiocls.audio.datasets import DataSet
from audiocls.formatting import format_elapsed

if TYPE_CHECKING:
    from audiocls.audio.check import DataQuality

SHOWN = 12
"""Classes that are listed with their clips; of more, the smallest and the largest."""


def show_health(data: DataSet, health: "DataQuality") -> None:
    """Sums first, then what was found."""
    console.show_facts(
        {
            "data set": data.name,
            "clips": f"{health.num_clips}, {format_elapsed(health.duration_s)} of sound",
            "classes": _classes(health.classes),
            "sides": ", ".join(f"{side}: {count}" for side, count in health.sides.items()),
            "rates": _rates(health, data.sample_rate),
            "lengths": _lengths(health, data.duration_s),
        }
    )
    if not health.findings:
        return console.say("nothing is wrong")
    return console.show_table(
        "Findings",
        ("", "kind", "what"),
        [("fault" if f.is_fault else "warning", f.kind, f.text) for f in health.findings],
        text=("", "kind", "what"),
    )


def _classes(counts: dict[str, int]) -> str:
    least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if counts[least] == counts[most]:
        return f"{len(counts)}, {counts[most]} clips each"
    if len(counts) <= SHOWN:
        return ", ".join(f"{name}: {count}" for name, count in counts.items())
    return f"{len(counts)}, from {counts[least]} clips ({least}) to {counts[most]} ({most})"


def _rates(health: "DataQuality", sample_rate: int) -> str:
    text = ", ".join(f"{rate} Hz: {count}" for rate, count in health.rates.items())
    lower = sum(count for rate, count in health.rates.items() if rate < sample_rate)
    return text + (f"; {lower} below {sample_rate} Hz: nothing above half of theirs" * bool(lower))


def _lengths(health: "DataQuality", duration_s: float) -> str:
    lengths = list(health.lengths_s)
    if not lengths:
        return "nothing was heard"
    least, most = f"{lengths[0]:g}", f"{lengths[-1]:g}"
    spread = f"{least} s" if least == most else f"{least} to {most} s"
    shorter = sum(n for length, n in health.lengths_s.items() if length < round(duration_s, 2))
    longer = sum(n for length, n in health.lengths_s.items() if length > round(duration_s, 2))
    fits = [f"{spread}, median {health.median_s:g} s"]
    fits += [f"{shorter} shorter than {duration_s:g} s: zeros follow"] if shorter else []
    fits += [f"{longer} longer: cut"] if longer else []
    return "; ".join(fits)
