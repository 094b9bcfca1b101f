"""`Noise`: how much a baseline varies by itself, and which effects that hides."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from audiocls.analysis import noise as analysis
from audiocls.analysis.evidence import of_baseline, of_comparison
from audiocls.api.frames import Rows, frame_of
from audiocls.api.report import Report
from audiocls.errors import NotComparable
from audiocls.render.build.stored import stored_noise
from audiocls.stats import detectable_effect
from audiocls.store import StudyFolder
from audiocls.studies.launch import Outcome
from audiocls.studies.noise_estimate import measured_noise
from audiocls.studies.reports import load_report


@dataclass(frozen=True, repr=False)
class Noise:
    """How much a baseline varies by itself, over seeds and over folds.

    >>> import audiocls
    >>> audiocls.noise("dropout", seeds=range(3)).rows()[0]  # doctest: +SKIP
    {'source': 'seed', 'sd': 0.012, 'low': 0.008, 'high': 0.021}
    """

    folder: StudyFolder
    """Of the study whose trials were measured."""
    measured: analysis.Noise | None
    """`None` as long as the launch was stopped, or nothing is finished."""
    outcome: Outcome | None = None
    """How the launch ended that `noise` made."""

    @property
    def report(self) -> Report:
        """The spread by its source, in every format."""
        folder, measured = self.folder, self._known()
        return Report(lambda format_: stored_noise(folder, measured, format_))

    def rows(self) -> Rows:
        """Return a dict a source of variance: its standard deviation and that one's interval."""
        sources = self._known().sources
        return [{"source": name, **asdict(spread)} for name, spread in sources.items()]

    def frame(self, backend: str | None = None) -> Any:
        """Return `rows` as a frame of pandas or polars, whichever is there."""
        return frame_of(self.rows(), backend)

    def detectable_effects(self, seeds: int = 10, power: float = 0.8) -> dict[int, float]:
        """Return seeds → smallest effect that is seen in `power` of such studies.

        Up to `seeds` of them, on the study's folds and with its comparisons, in units of the
        metric. The arms' own differences tell it where there are any, else the baseline's noise.
        """
        loaded = load_report(self.folder)
        study, comparison = loaded.study, loaded.comparison
        known = of_comparison(comparison)
        known = known or of_baseline(self._known(), is_tuned=study.tuning is not None)
        if known is None:
            return {}
        protocol, num_arms = known.protocol(len(study.folds)), max(1, len(comparison.compared))
        effects = {
            number: detectable_effect(
                known.spread, number, protocol, num_arms, power, comparison.alpha
            )
            for number in range(1, seeds + 1)
        }
        return {number: effect for number, effect in effects.items() if math.isfinite(effect)}

    def _known(self) -> analysis.Noise:
        if self.measured is None:
            raise NotComparable(f"{self.folder.name}: nothing is measured yet; launch it again")
        return self.measured

    def __repr__(self) -> str:
        return repr(self.report) if self.measured else f"{self.folder.name}: not measured yet"

    def _repr_html_(self) -> str:
        return self.report._repr_html_() if self.measured else repr(self)


def noise_in(folder: StudyFolder) -> Noise:
    """Return how much a study's baseline varies, by what is recorded of it."""
    study = folder.study_with_arms()
    records = folder.records(study.cells)
    return Noise(folder, measured_noise(folder, study, records, study.baseline))
