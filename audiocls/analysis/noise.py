"""`Noise`: components of variance of a baseline, measured from its trials."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from audiocls.analysis.comparability import AGREEING
from audiocls.analysis.pairing import Block, usable
from audiocls.errors import NotComparable
from audiocls.formatting import plural
from audiocls.stats import StdEstimate, binomial_error, components
from audiocls.store.record import Record, Study

_ORIGIN = ("code", "torch", "device")


@dataclass(frozen=True)
class Noise:
    """A baseline's components of variance, in units of the metric."""

    study: str
    metric: str
    baseline: str
    """Digest of its configuration without seed and fold."""
    mean: float
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    sources: dict[str, StdEstimate]
    """`seed`, `fold`, `interaction`; what one seed or one fold leaves together has both names."""
    pair: StdEstimate
    """Of the difference of two arms on one seed and fold."""
    sampling: float | None
    """What drawing so many test clips alone would give a share of right answers, on one fold."""
    num_test: int | None
    left_out: tuple[Block, ...] = ()
    """Blocks that are not measured, for others of their seed or fold lack a finished trial."""
    mixed: tuple[str, ...] = ()
    """In what the trials differ besides: code, torch, device. Its effect counts as noise."""

    @property
    def grid(self) -> str:
        """What was measured: `5 seeds × 5 folds`."""
        return f"{plural(len(self.seeds), 'seed')} × {plural(len(self.folds), 'fold')}"

    def to_mapping(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Noise":
        """Return the value that `to_mapping` wrote; a missing or unknown key raises `TypeError`."""
        known = {
            "seeds": tuple(mapping["seeds"]),
            "folds": tuple(mapping["folds"]),
            "sources": {name: StdEstimate(**each) for name, each in mapping["sources"].items()},
            "pair": StdEstimate(**mapping["pair"]),
            "mixed": tuple(mapping["mixed"]),
            "left_out": tuple((seed, fold) for seed, fold in mapping["left_out"]),
        }
        return cls(**{**mapping, **known})


def measure(study: Study, records: Mapping[str, Record], baseline: str) -> Noise:
    """Return components over the largest whole grid of finished trials; `baseline` is a digest.

    Raises `NotComparable` where fewer than two trials make one.
    """
    finished = usable(study, records)
    cells = [cell for cell in study.cells if cell.arm == study.baseline and cell.id in finished]
    by_block = {cell.block: finished[cell.id] for cell in cells}
    seeds, folds = _whole(list(by_block))
    if len(seeds) * len(folds) < 2:
        raise NotComparable(
            f"study {study.name}: {plural(len(by_block), 'finished trial')} of the baseline; noise "
            "needs two seeds or two folds, all of them finished"
        )
    chosen = [[by_block[seed, fold] for fold in folds] for seed in seeds]
    values = np.array([[record.metrics[study.metric] for record in row] for row in chosen])
    parts, mean = components(values), float(values.mean())
    trials = [record for row in chosen for record in row]
    sizes = [record.num_test for record in trials if record.num_test]
    num_test = round(sum(sizes) / len(sizes)) if sizes else None
    is_share = study.metric == "test/accuracy" and num_test is not None
    return Noise(
        study=study.name,
        metric=study.metric,
        baseline=baseline,
        mean=mean,
        seeds=seeds,
        folds=folds,
        sources=parts.sources,
        pair=parts.pair,
        sampling=binomial_error(mean, num_test) if is_share and num_test else None,
        num_test=num_test,
        mixed=tuple(part for part in _ORIGIN if _differs(part, trials)),
        left_out=tuple(b for b in sorted(by_block) if b[0] not in seeds or b[1] not in folds),
    )


def _differs(part: str, trials: Sequence[Record]) -> bool:
    return len({AGREEING[part](trial) for trial in trials}) > 1


def _whole(blocks: Sequence[Block]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the larger of: seeds that have every fold, and folds that have every seed."""
    known = set(blocks)
    seeds, folds = (tuple(sorted({block[side] for block in blocks})) for side in (0, 1))
    whole_seeds = tuple(s for s in seeds if all((s, f) in known for f in folds))
    whole_folds = tuple(f for f in folds if all((s, f) in known for s in seeds))
    by_seed, by_fold = (whole_seeds, folds), (seeds, whole_folds)
    return max(by_seed, by_fold, key=lambda grid: len(grid[0]) * len(grid[1]))
