"""A search's dashboards on W&B: its ranking in words, each run for itself in the panels."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.records import search_record, search_study
from helpers.reports import (
    GOLDEN,
    NOWHERE,
    filters_of,
    has_key,
    keys_of,
    panels_of,
    read_json,
    report_to_wandb,
    texts_of,
)
from helpers.trials import train_offline
from wandb_server import Server

from audiocls.render.build.stored import stored_ranking
from audiocls.render.document import Runs, of_kind
from audiocls.render.formats.wandb.report import report_of
from audiocls.render.formats.wandb.workspace import workspace_of
from audiocls.render.formats.wandb.workspaces_adapter import spec_of
from audiocls.store import Failure, Proposal, StudyFolder
from audiocls.tracking import run_id_of


def selection_of(document):
    """The runs that the document's panels show."""
    return next(of_kind(document.blocks, Runs)).selection


def document_of(folder):
    return stored_ranking(folder, "wandb").document


DOCUMENT = {
    "method": "random",
    "description": "Which learning rate suits it?",
    "metric": {"name": "val/loss"},
    "parameters": {
        "optim.lr": {"min": 0.0, "max": 1.0},
        "model": {"parameters": {"dropout": {"values": [0.0, 0.1]}}},
        "seed": {"value": 3},
    },
}


def searched(folder: StudyFolder, document: dict, is_ours: bool, rows: list[dict]) -> StudyFolder:
    """Two finished trials and a failed one."""
    command = "audiocls sweep launch lr"
    folder.write_study(search_study("lr", document, "recipe tiny", "/", command))
    for name, lr in (("a", 0.5), ("b", 0.125), ("c", 0.25)):
        given = {"model": {"dropout": 0.1 if name == "a" else 0.0}, "optim.lr": lr, "seed": 3}
        folder.propose(Proposal(name, given))
        if name == "c":
            folder.trial(name).fail(Failure("out_of_memory", "8 GiB are full", "", 1))
            continue
        record = search_record(name, lr * 2)
        data = "fingerprint" if is_ours else ""
        provenance = replace(record.provenance, data=data)
        folder.trial(name).finish(replace(record, provenance=provenance))
        for row in rows:
            folder.trial(name).append_history(row)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    rows = [{"epoch": 1.0, "val/loss": 2.0, "train/loss": 2.5}]
    return searched(StudyFolder(tmp_path / "runs" / "lr"), DOCUMENT, True, rows)


@pytest.fixture
def foreign(tmp_path: Path) -> StudyFolder:
    document = {**DOCUMENT, "program": "train.py"}
    return searched(StudyFolder(tmp_path / "runs" / "lr"), document, False, [{"val/loss": 2.0}])


@pytest.mark.parametrize("name", ["report", "workspace"])
def test_the_same_search_makes_the_same_dashboards(folder, name):
    document = document_of(folder)
    view = (
        report_of(document, NOWHERE)
        if name == "report"
        else workspace_of(selection_of(document), NOWHERE)
    )
    spec, file = spec_of(view), GOLDEN / f"search_{name}.wandb.json"
    if not file.exists():
        file.write_text(json.dumps(spec, indent=1) + "\n")
        pytest.fail(f"{file} was written anew: read it, then run this again")
    assert spec == read_json(file), f"if this is meant, delete {file} and run this again"


def test_the_report_tells_the_best_the_ranking_the_failed_and_the_command(folder):
    spec = spec_of(report_of(document_of(folder), NOWHERE))
    texts = texts_of(spec["spec"])
    assert spec["description"] == "Which learning rate suits it?"
    said = "Best of 2 trials: val/loss 0.25 with model.dropout=0, optim.lr=0.125."
    assert any(text.startswith(said) for text in texts)
    assert any("| 1 | 0.25 | 0 | 0.125 | finished |" in text for text in texts)
    assert "dropout=0,lr=0.25: 1 failed (out_of_memory): 8 GiB are full" in texts
    assert "audiocls sweep launch lr" in texts


def test_a_long_ranking_is_cut_in_the_words_and_whole_in_the_runs(folder):
    for number in range(200):
        folder.propose(Proposal(f"x{number}", {"optim.lr": number / 200}))
    document = document_of(folder)
    texts = texts_of(spec_of(report_of(document, NOWHERE))["spec"])
    assert max(text.count("\n") for text in texts) == 51
    assert selection_of(document).num_runs == 203


def test_each_run_stands_for_itself_beside_the_parameters_that_were_searched(folder):
    document = document_of(folder)
    for view in (report_of(document, NOWHERE), workspace_of(selection_of(document), NOWHERE)):
        configs = [panel["config"] for panel in panels_of(spec_of(view))]
        assert not any(config.get("groupBy") for config in configs)
        [axes] = [config["columns"] for config in configs if "columns" in config]
        assert [axis["accessor"] for axis in axes] == [
            "config:model.value.dropout",
            "config:optim.value.lr",
            "summary:best/val/loss",
        ]


def test_panels_of_a_search_read_only_what_a_trial_really_tells(
    folder, tmp_path, tiny_config, cache
):
    run = train_offline(tiny_config({"model.dropout": 0.1}), tmp_path, cache)
    document = document_of(folder)
    for view in (report_of(document, NOWHERE), workspace_of(selection_of(document), NOWHERE)):
        keys = [found for panel in panels_of(spec_of(view)) for found in keys_of(panel)]
        assert len(keys) > 8
        assert [found for found in keys if not has_key(run, *found)] == []


def test_runs_of_another_program_are_named_and_drawn_over_their_steps(foreign):
    document = document_of(foreign)
    spec = spec_of(report_of(document, NOWHERE))
    for found in filters_of(spec):
        named = {c["key"]["name"]: c["value"] for c in found["filters"]}
        assert named == {"group": "lr", "name": [run_id_of(name, "lr", 1) for name in "ab"]}
    [curve] = [p["config"] for p in panels_of(spec) if "Line Plot" in p["viewType"]]
    assert (curve["metrics"], curve["xAxis"]) == (["val/loss"], "_step")


def test_a_search_that_seeks_nothing_is_told_without_panels(tmp_path):
    document = {**DOCUMENT, "program": "train.py"}
    del document["metric"]
    found = searched(StudyFolder(tmp_path / "runs" / "lr"), document, False, [])
    document = document_of(found)
    assert not list(panels_of(spec_of(workspace_of(selection_of(document), NOWHERE))))
    texts = texts_of(spec_of(report_of(document, NOWHERE))["spec"])
    assert any(text.startswith("3 trials; the sweep names no metric") for text in texts)


def test_without_a_key_both_are_written_into_the_studys_folder(folder):
    assert "wandb login" in report_to_wandb(folder)
    report, workspace = (
        read_json(folder.path / f"{n}.wandb.json") for n in ("report", "workspace")
    )
    assert report["displayName"] == workspace["displayName"] == "lr"


def test_both_are_saved_online_and_again_in_their_own_place(folder, wandb_server: Server):
    said = report_to_wandb(folder)
    saved = read_json(folder.path / "dashboards.json")
    assert saved["report_url"] in said
    assert not saved["answer"]
    report_to_wandb(folder)
    assert read_json(folder.path / "dashboards.json") == saved
    assert len(wandb_server.views()) == 2
    assert wandb_server.runs() == wandb_server.unknown == []
