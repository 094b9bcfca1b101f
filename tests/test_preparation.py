"""What comes before a study's trials is part of its plan: pre-training, EnCodec's features."""

import subprocess
import sys

import pytest

from audiocls import library
from audiocls.design import load_ablation, plan
from audiocls.studies.preparation import preparation_of
from audiocls.studies.resolve import configs_of
from audiocls.studies.runnable import tables_of

STAGE = {"name": "synthetic", "seed": 1, "num_sources": 5}
KWS = {
    "scratch": {},
    "tuned": {"pretraining": {"data": STAGE, "epochs": 7}},
    "frozen": {"pretraining": {"data": STAGE, "epochs": 7}, "freeze": True},
}
LM = {
    "none": {"ssl.mode": "none"},
    "joint": {"ssl.mode": "joint"},
    "pretrain": {"ssl": {"mode": "pretrain", "epochs": 3}},
}
SMALL = {"data.num_sources": 5, "data.clips_per_source": 1}


def counted(recipe, arms, cache, **narrowed):
    question = {"name": "a", "question": "?", "recipe": recipe, "arms": arms, "overrides": SMALL}
    question["blocks"] = {"seed": [0, 1], "fold": [1, 2, 3]}
    chosen = plan(load_ablation(question, "a.yaml"), **narrowed)
    configs = configs_of(chosen, library.recipe(recipe), {})
    return preparation_of(chosen, configs, tables_of(configs, cache))


def test_a_stage_on_other_data_is_trained_once_a_seed_for_all_arms_and_folds(cache):
    found = counted("kws-tiny-cpu", KWS, cache)
    assert (found.num_stages, found.num_stage_epochs, found.encoded_s) == (2, 14, 0)


def test_a_stage_on_the_trials_own_clips_is_trained_once_a_seed_and_fold(cache):
    found = counted("convnext1d-lm-cpu", LM, cache)
    assert (found.num_stages, found.num_stage_epochs) == (6, 18)
    assert counted("convnext1d-lm-cpu", LM, cache, seeds=[0], folds=[1]).num_stages == 1


def test_clips_are_encoded_once_for_all_arms(cache):
    found = counted("convnext1d-lm-cpu", LM, cache)
    assert found.encoded_s == 50  # ten classes × five clips of a second
    assert found.core_seconds > 0


@pytest.mark.slow
def test_stages_are_counted_without_torch():
    code = "import audiocls.studies.preparation, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
