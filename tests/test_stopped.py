"""What is said once a launch was stopped: how to resume it, once, whoever called it."""

from dataclasses import replace

import pytest
import typer
from helpers.records import finished_study, paired_values, write_study

import audiocls
from audiocls.api.launching import _ended
from audiocls.api.study import study_in
from audiocls.cli.sweep.launch import show_launched
from audiocls.store import StudyFolder, count_states
from audiocls.studies.launch import Outcome
from audiocls.studies.options import LaunchOptions

COMMAND = "audiocls sweep launch dropout"


@pytest.fixture
def outcome(tmp_path):
    """The end of a launch that Ctrl-C stopped at a look, undecided and below its pair limit."""
    study, records = finished_study(paired_values(0.0, spread=0.03))
    study = replace(study, looks=(15,), max_pairs=60)
    folder = write_study(tmp_path / "dropout", study, records)
    return Outcome(study, count_states(folder.states(study.cells)), 30, "signal")


def test_the_command_line_says_once_how_to_resume(outcome, tmp_path, capsys):
    with pytest.raises(typer.Exit):
        show_launched(study_in(StudyFolder(tmp_path / "dropout"), outcome))
    said = capsys.readouterr()
    assert "undecided" in said.out
    assert (said.out + said.err).count(COMMAND) == 1
    assert f"Resume with: {COMMAND}" in said.err


def test_python_leaves_it_to_the_exception_that_says_it(outcome, tmp_path, capsys):
    with pytest.raises(audiocls.LaunchStopped, match=f"Resume with: {COMMAND}"):
        _ended(outcome, LaunchOptions(tmp_path), progress=True)
    said = capsys.readouterr()
    assert COMMAND not in said.out + said.err
