"""`PretrainingStage`: which pre-training a trial needs, on which clips, and where it is stored.

Torch-free, for a launch looks for stages too. Where neither the study nor the data are, as on a
node of a cluster, the stage is the one that was sent along.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiocls.audio.clips import ClipTable, Split, fingerprint
from audiocls.audio.unlabelled import unlabelled_split, unlabelled_table
from audiocls.config import Config, trial_id
from audiocls.digests import verified_weights
from audiocls.execution.cluster.tables import sent_stage, sent_table
from audiocls.execution.content import identity_of
from audiocls.execution.job import AnyJob
from audiocls.execution.provenance import code_digest
from audiocls.store import TrialFolder
from audiocls.store.content import description_in
from audiocls.store.same_numbers import canonical_code
from audiocls.store.stored_file import read, unsealed
from audiocls.training.pretrain import stage_of

STAGES, RESULT = "pretrained", "stage.json"
WAIT_S = 1.0
"""Between two looks at a stage that another worker trains."""


@dataclass(frozen=True)
class PretrainingStage:
    """The stage that a trial needs: its configuration, its clips, its folder."""

    config: Config
    table: ClipTable | None
    """None of a stage that was sent, on a data set: its clips are found by their fingerprint."""
    fingerprint: str
    split: Split
    folder: TrialFolder

    @property
    def learns_codes(self) -> bool:
        return self.config.ssl.mode == "pretrain"

    @property
    def learns_views(self) -> bool:
        return self.config.ssl.is_contrastive


def stage_for(job: AnyJob, config: Config, cache: Path) -> PretrainingStage:
    """Return the stage of a trial; its id covers options, clips and code."""
    stage = stage_of(config)
    if (sent := sent_stage(job.id)) is not None:
        clips = sent_table(sent.fingerprint) if stage.ssl.clips else None
        folder = TrialFolder(job.study_folder / STAGES / sent.id)
        return PretrainingStage(stage, clips, sent.fingerprint, sent.split, folder)
    table = stage_table(stage) or stage.data.table(cache)
    data = fingerprint(table, cache)
    split = _split(config, stage, table, data, cache)
    clips_digest = hashlib.sha256(split.train.tobytes() + b"|" + split.val.tobytes()).hexdigest()
    code = canonical_code(code_digest())
    identity = trial_id(identity_of(stage, cache), f"{data} {clips_digest} {code}")
    folder = TrialFolder(job.study_folder / STAGES / identity)
    return PretrainingStage(stage, table, data, split, folder)


def stage_table(stage: Config) -> ClipTable | None:
    """Return the clips of a stage on a folder of its own; none if they are those of its data."""
    return unlabelled_table(Path(stage.ssl.clips)) if stage.ssl.clips else None


def _split(config: Config, stage: Config, table: ClipTable, data: str, cache: Path) -> Split:
    """Return the stage's clips, without copies of the trial's validation and test clips."""
    split = unlabelled_split(table) if stage.ssl.clips else table.split(stage.fold)
    if not stage.ssl.clips and config.pretraining.data is None:
        return split
    from audiocls.audio.deduplicate import audio_digests, exclude_copies

    trial_table, rate = config.data.table(cache), config.data.sample_rate
    scored = trial_table.split(config.fold, config.data.validation)
    excluded = audio_digests(trial_table, fingerprint(trial_table, cache), rate, cache)
    return exclude_copies(
        split,
        audio_digests(table, data, rate, cache),
        excluded[np.concatenate([scored.val, scored.test, *scored.further.values()])],
    )


def is_finished(folder: TrialFolder) -> bool:
    """Whether a stage is stored; raises `Damaged` if it has to be made anew."""
    about = read(folder.description, description_in)
    weights = read(folder.checkpoint, lambda content: verified_weights(content, about or {}))
    return None not in (about, weights, read(folder.path / RESULT, unsealed))
