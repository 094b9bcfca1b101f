"""A part that is replaced on the command line starts from its own defaults: it is said."""

from pathlib import Path

import pytest
from helpers import layouts

from audiocls import library
from audiocls.config import not_taken_over, resolve
from audiocls.studies.request import ablation_request

KEPT = "data.name=esc50 has defaults of its own in place of the recipe's data.sample_rate=22050"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    layouts.esc50(tmp_path)
    return tmp_path


def notes_of(name: str, root: Path, *keys: str) -> str:
    given = ["data.name=esc50", f"data.root={root}", *keys]
    return " ".join(ablation_request(name, assignments=given).plan()[0].notes)


def test_another_data_set_does_not_take_over_the_sample_rate_and_says_so(root):
    said = notes_of("scratch_parts", root)
    assert KEPT in said
    assert "To keep them: --set data.sample_rate=22050" in said


def test_what_is_set_as_well_is_not_missed(root):
    said = notes_of("scratch_parts", root, "data.sample_rate=22050", "data.validation=none")
    assert "has defaults of its own" not in said


@pytest.mark.parametrize("name", ["dropout", "n_mels"])
def test_a_recipe_with_the_usual_options_needs_no_note(name, root):
    said = notes_of(name, root)
    assert "data.sample_rate" not in said


def test_what_is_to_be_kept_can_be_pasted_into_a_shell():
    overrides = {"data.name": "synthetic"}
    config = resolve([library.recipe("logmel-cnn"), overrides], "here")
    kept = {"data": {"name": "folder", "sample_rate": "a b"}}
    [said] = not_taken_over(kept, overrides, config)
    assert said.endswith("--set 'data.sample_rate=a b'")
