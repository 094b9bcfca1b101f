"""`Noise`: components of variance of a baseline, measured from its trials."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from audiocls.analysis.comparability import AGREEING
from audiocls.analysis.differences import InfluencesOf
from audiocls.analysis.pairing import Block, RecordGrid
from audiocls.errors import NotComparable
from audiocls.formatting import plural
from audiocls.stats import (
    Spread,
    StdEstimate,
    VarianceComponents,
    binomial_error,
    components,
    spread_of_pairs,
)
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
    spread: Spread | None
    """Of the difference of two such arms on one fold with one seed; `None` with one seed, which
    cannot tell what is of the training."""
    num_recordings: float
    """Of a test fold, mean; 0 where predictions are missing."""
    ratio: float
    """n_test/n_train."""
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
            "spread": Spread(**mapping["spread"]) if mapping["spread"] else None,
            "mixed": tuple(mapping["mixed"]),
            "left_out": tuple((seed, fold) for seed, fold in mapping["left_out"]),
        }
        return cls(**{**mapping, **known})


NO_INFLUENCES: InfluencesOf = MappingProxyType({})


def measure(
    study: Study,
    records: Mapping[str, Record],
    baseline: str,
    influences: InfluencesOf = NO_INFLUENCES,
) -> Noise:
    """Return components over the largest whole grid of finished trials.

    `baseline` is a digest; `influences` are those of recordings on the study's metric, without
    which trainings vary as a whole. Raises `NotComparable` where fewer than two trials make one.
    """
    grid = RecordGrid.of(study, records, influences=influences)
    by_block = {(each.seed, each.fold): each for each in grid.records_of(study.baseline)}
    seeds, folds = _whole(list(by_block))
    if len(seeds) * len(folds) < 2:
        raise NotComparable(
            f"study {study.name}: {plural(len(by_block), 'finished trial')} of the baseline; noise "
            "needs two seeds or two folds, all of them finished"
        )
    chosen = [[by_block[seed, fold] for fold in folds] for seed in seeds]
    values = np.array([[record.metrics[study.metric] for record in row] for row in chosen])
    varying = _varying(grid, seeds, folds)
    mean, trials = float(values.mean()), [record for row in chosen for record in row]
    return Noise(
        study=study.name,
        metric=study.metric,
        baseline=baseline,
        mean=mean,
        seeds=seeds,
        folds=folds,
        sources=components(values),
        spread=spread_of_pairs(varying) if len(seeds) > 1 else None,
        num_recordings=varying.num_recordings / len(folds),
        ratio=grid.ratio,
        sampling=_sampling(study.metric, mean, trials),
        num_test=_num_test(trials),
        mixed=tuple(part for part in _ORIGIN if _differs(part, trials)),
        left_out=tuple(b for b in sorted(by_block) if b[0] not in seeds or b[1] not in folds),
    )


def _varying(grid: RecordGrid, seeds: Sequence[int], folds: Sequence[int]) -> VarianceComponents:
    """Return the components of the baseline's mean over these seeds and folds."""
    is_kept = np.array([block[0] in seeds and block[1] in folds for block in grid.blocks])
    components = grid.differences({grid.study.baseline: 1.0}, is_kept).components()
    assert components is not None
    return components


def _num_test(trials: Sequence[Record]) -> int | None:
    """Return the mean number of test clips of a fold; `None` if unknown."""
    sizes = [record.num_test for record in trials if record.num_test]
    return round(sum(sizes) / len(sizes)) if sizes else None


def _sampling(metric: str, mean: float, trials: Sequence[Record]) -> float | None:
    num_test = _num_test(trials)
    return binomial_error(mean, num_test) if metric == "test/accuracy" and num_test else None


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
