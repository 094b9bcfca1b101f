"""The result of a data check as a few lines of text, and as values for JSON."""

from typing import Any

from audiocls.audio.check import DataQuality
from audiocls.audio.datasets import DataSet
from audiocls.formatting import format_elapsed

MOST_CLASSES = 12
"""Classes listed with their clips; of more, the smallest and the largest."""


def facts_of(quality: DataQuality, data: DataSet) -> dict[str, str]:
    """Return the content of the data set as lines of text, by name."""
    return {
        "data set": data.name,
        "clips": f"{quality.num_clips}, {format_elapsed(quality.duration_s)} of audio",
        "classes": _classes(quality.classes),
        _called(quality.sides): ", ".join(f"{s}: {count}" for s, count in quality.sides.items()),
        "rates": _rates(quality, data.sample_rate),
        "lengths": _lengths(quality, data.duration_s),
    }


def as_values(quality: DataQuality) -> dict[str, Any]:
    """Return the whole result as plain values, for JSON."""
    return {
        "is_usable": quality.is_usable,
        "num_clips": quality.num_clips,
        "duration_s": round(quality.duration_s, 2),
        "median_s": quality.median_s,
        "classes": quality.classes,
        "sides": quality.sides,
        "rates": {str(rate): count for rate, count in quality.rates.items()},
        "lengths_s": {f"{length:g}": count for length, count in quality.lengths_s.items()},
        "findings": [
            {"kind": f.kind, "is_fault": f.is_fault, "text": f.text, "clips": list(f.clips)}
            for f in quality.findings
        ],
    }


def _called(sides: dict[str, int]) -> str:
    """Return what the parts of the data are: folds, splits, or folds beside further test clips."""
    folds = [side.startswith("fold ") for side in sides]
    return "folds" if all(folds) else "folds and splits" if any(folds) else "splits"


def _classes(counts: dict[str, int]) -> str:
    least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if counts[least] == counts[most]:
        return f"{len(counts)}, {counts[most]} clips each"
    if len(counts) <= MOST_CLASSES:
        return ", ".join(f"{name}: {count}" for name, count in counts.items())
    return f"{len(counts)}, from {counts[least]} clips ({least}) to {counts[most]} ({most})"


def _rates(quality: DataQuality, sample_rate: int) -> str:
    text = ", ".join(f"{rate} Hz: {count}" for rate, count in quality.rates.items())
    lower = sum(count for rate, count in quality.rates.items() if rate < sample_rate)
    # Resampling up adds no content above half of the original rate.
    note = f"; {lower} below {sample_rate} Hz: no content above half of their rate"
    return text + note * bool(lower)


def _lengths(quality: DataQuality, duration_s: float) -> str:
    lengths = list(quality.lengths_s)
    if not lengths:
        return "no clip could be decoded"
    least, most = f"{lengths[0]:g}", f"{lengths[-1]:g}"
    spread = f"{least} s" if least == most else f"{least} to {most} s"
    shorter = sum(n for length, n in quality.lengths_s.items() if length < round(duration_s, 2))
    longer = sum(n for length, n in quality.lengths_s.items() if length > round(duration_s, 2))
    remarks = [f"{spread}, median {quality.median_s:g} s"]
    remarks += (
        [f"{shorter} shorter than {duration_s:g} s: padded with zeros to {duration_s:g} s"]
        if shorter
        else []
    )
    remarks += [f"{longer} longer: {_cut(duration_s, quality.median_s)}"] if longer else []
    return "; ".join(remarks)


def _cut(duration_s: float, median_s: float) -> str:
    """Return what longer clips come to, and how most of them are kept whole."""
    advice = f" (--set data.duration_s={median_s:g} keeps {median_s:g} s)"
    return f"cut to {duration_s:g} s" + advice * (median_s > duration_s)
