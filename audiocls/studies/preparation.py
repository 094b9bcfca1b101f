"""What a study computes before its trials' first epochs: pre-training, EnCodec's features."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import DataSet
from audiocls.config import Config, identity_config
from audiocls.design import Plan
from audiocls.studies.runnable import Configs
from audiocls.training.pretrain import stage_of

ENCODER_S = 0.08
"""Core-seconds of EnCodec's encoder a second of audio, measured on one core; a GPU takes less."""


@dataclass(frozen=True)
class Preparation:
    """Its parts, each computed once however many trials share it."""

    num_stages: int = 0
    """Trainings before the trials' own."""
    num_stage_epochs: int = 0
    """Of all of them."""
    encoded_s: float = 0.0
    """Seconds of audio that go through EnCodec's encoder."""

    @property
    def core_seconds(self) -> float:
        """Of the encoder on a CPU; stages are in the time that a trial is known to take."""
        return self.encoded_s * ENCODER_S


def preparation_of(
    plan: Plan, configs: Configs, tables: Mapping[DataSet, ClipTable | None]
) -> Preparation:
    """Return what the plan computes first; features of clips that are not there yet are unknown."""
    stages: dict[tuple[str, int, int], int] = {}
    for config in configs.values():
        if config.has_stage:
            stage = stage_of(config.model_copy(update={"seed": 0, "fold": 0}))
            is_of_fold = stage.fold == 0
            key = json.dumps(identity_config(stage.model_copy(update={"fold": 1})), sort_keys=True)
            for seed, fold in plan.blocks:
                stages[key, seed, fold if is_of_fold else 1] = stage.train.epochs
    encoded = {
        _encoded(config): _seconds(config, tables)
        for config in configs.values()
        if config.features.name == "encodec"
    }
    return Preparation(len(stages), sum(stages.values()), sum(encoded.values(), 0.0))


def _encoded(config: Config) -> str:
    """Return what makes features of EnCodec the same."""
    options = config.features.model_dump(mode="json", exclude={"output", "bandwidth"})
    return json.dumps([config.data.model_dump(mode="json"), options])


def _seconds(config: Config, tables: Mapping[DataSet, ClipTable | None]) -> float:
    """Return the seconds of audio that EnCodec encodes for a configuration's trials."""
    table = tables[config.data]
    return len(table.clips) * config.data.duration_s if table else 0.0
