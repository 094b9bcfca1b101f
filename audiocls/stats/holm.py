"""Correction for the number of comparisons."""

from collections.abc import Sequence


def max_p(*ps: float | None) -> float:
    """Return the largest p: that of a claim which needs all of these tests.

    The intersection–union test (Berger, Technometrics 24, 1982); 1 where a test could not be made.
    """
    known = [p for p in ps if p is not None]
    return max(known) if len(known) == len(ps) else 1.0


def holm(ps: Sequence[float]) -> list[float]:
    """Return the adjusted p values, in order (Holm, Scandinavian J. Statistics 6, 1979).

    The numbers of statsmodels' `multipletests`, which takes a second to import and runs the
    garbage collector at every call.
    """
    adjusted = [0.0] * len(ps)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted
