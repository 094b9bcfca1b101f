"""The trials' predictions, read from the store as far as they are there."""

from collections.abc import Mapping
from zipfile import BadZipFile

from audiocls.analysis import pairing
from audiocls.analysis.clips.compare import compare_clips
from audiocls.analysis.clips.results import ClipComparison
from audiocls.analysis.clips.scored import Scored, scored
from audiocls.analysis.comparability import incomparability
from audiocls.store import Record, Study, StudyFolder

MOST_TRIALS = 1000
"""Whose predictions a page reads without being asked to: some seconds."""


def read_clips(folder: StudyFolder, study: Study, records: Mapping[str, Record]) -> ClipComparison:
    """What `compare_clips` says of the trials in `records`; trials without predictions are named.

    Trials that another program trained, or that were imported, may have none. What forbids a
    verdict on an arm forbids this, too.
    """
    finished = pairing.usable(study, records)
    named = (folder.trial(trial_id).class_names() for trial_id in finished)
    labels = next((names for names in named if names), ())

    def read(trial_id: str) -> Scored | str:
        try:
            arrays = folder.trial(trial_id).predictions()
            if arrays["labels"].ndim > 1:
                return "clips of several labels are neither right nor wrong"
            return scored(arrays)
        except FileNotFoundError:
            return "no predictions are kept"
        except KeyError as error:
            return f"the predictions lack {error}"
        except (OSError, ValueError, EOFError, BadZipFile) as error:
            return f"the predictions cannot be read ({error})"

    return compare_clips(study, finished, read, labels, _refused(study, finished))


def _refused(study: Study, finished: Mapping[str, Record]) -> dict[str, str]:
    grid = pairing.grid_of(study)
    others = [arm for arm in study.arms if arm != study.baseline]
    pairs = [pairing.pairs_of(study, grid, arm, finished, {}) for arm in others]
    return {each.arm: reason for each in pairs if (reason := incomparability(study, each))}
