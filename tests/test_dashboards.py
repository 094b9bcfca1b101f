"""A study's dashboards on W&B: what they say, what they name, and where they end up."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.designs import designed_study, factorial_arms
from helpers.records import drop_records, finished_study, write_study
from helpers.reports import (
    GOLDEN,
    NOWHERE,
    Json,
    filters_of,
    has_key,
    keys_of,
    panels_of,
    read_json,
    report_to_wandb,
    texts_of,
)
from helpers.trials import train_offline

from audiocls.analysis import compare, pareto
from audiocls.errors import UsageError
from audiocls.render.build import ablation
from audiocls.render.build.effects import effect_remarks, effect_table
from audiocls.render.build.runs import answer_run, pairs_run, study_runs
from audiocls.render.build.verdicts import secondary_table
from audiocls.render.figures import paired_differences
from audiocls.render.formats.markdown import markdown_table
from audiocls.render.formats.wandb import require_workspaces
from audiocls.render.formats.wandb.panels import pair_panels, sections
from audiocls.render.formats.wandb.report import report_of
from audiocls.render.formats.wandb.workspace import workspace_of
from audiocls.render.formats.wandb.workspaces_adapter import spec_of, wr, ws
from audiocls.render.run_selection import RunSelection
from audiocls.store import Failure, Record, Study, StudyFolder
from audiocls.store.record import Objective
from audiocls.tracking.project import ProjectRef

LOST = "wide-0-3"

GAINS = [0.03, 0.02, 0.03, 0.04, 0.03, 0.02, 0.03, 0.03]


def study_of(**options: Any) -> tuple[Study, dict[str, Record]]:
    """An arm that helps, one that lacks a trial; eight blocks."""
    base = [0.80, 0.82, 0.81, 0.79, 0.83, 0.80, 0.78, 0.81]
    helped = [b + gain for b, gain in zip(base, GAINS, strict=True)]
    values = {"base": base, "dropout=0.1": helped, "wide": base}
    study, records = finished_study(
        values, seeds=(0, 1), folds=(1, 2, 3, 4), notes=("a note",), **options
    )
    return study, drop_records(records, LOST)


def histories(study: Study) -> dict[str, list[Json]]:
    row = {"epoch": 1.0, "train/loss": 2.0, "val/loss": 1.9, "val/accuracy": 0.3, "lr": 1e-3}
    return {cell.id: [row] for cell in study.cells}


def built(
    study: Study, records: dict[str, Record], place: ProjectRef = NOWHERE
) -> tuple[wr.Report, ws.Workspace, RunSelection]:
    subject = study_runs(study, records, histories(study))
    comparison = compare(study, records)
    failures = [(cell, "out_of_memory", "8 GiB are full") for cell in comparison.missing[:1]]
    document = ablation(comparison, study, failures=failures, selection=subject)
    report = report_of(document, place)
    return report, workspace_of(subject, place), subject


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """The study as a launch leaves it."""
    study, records = study_of()
    found = write_study(tmp_path / "runs" / study.name, study, records)
    found.trial(LOST).fail(Failure("out_of_memory", "8 GiB are full", "", 1))
    return found


# What they say


@pytest.mark.parametrize("name", ["report", "workspace"])
def test_the_same_study_makes_the_same_dashboards(name):
    report, workspace, _ = built(*study_of())
    spec = spec_of(report if name == "report" else workspace)
    file = GOLDEN / f"{name}.wandb.json"
    if not file.exists():
        file.write_text(json.dumps(spec, indent=1) + "\n")
        pytest.fail(f"{file} was written anew: read it, then run this again")
    assert spec == read_json(file), f"if this is meant, delete {file} and run this again"


def test_the_report_answers_the_question_in_words():
    study, records = study_of()
    report, *_ = built(study, records)
    text = "\n".join(texts_of(spec_of(report)["spec"]))
    assert report.description == "Does it help?"
    assert "dropout=0.1 helps over 4 of 5 folds: +2.9 points" in text
    assert "| better |" in text
    assert "Holm's correction" in text
    assert "a note" in text
    assert "audiocls sweep launch dropout" in text


def test_effects_other_metrics_and_the_front_are_told_as_in_every_format():
    factors = {"a.x": [0, 1], "b.y": [0, 1]}
    study, records = designed_study(
        factorial_arms(factors), lambda changes: 0.01 * changes["a.x"], factors
    )
    study = replace(study, secondary=(Objective("test/accuracy", "minimize", 0.01),))
    report, *_ = built(study, records)
    comparison = compare(study, records)
    text = "\n".join(texts_of(spec_of(report)["spec"]))
    assert markdown_table(effect_table(comparison)) in text
    assert markdown_table(secondary_table(comparison.secondary[0])) in text
    told = [*effect_remarks(comparison), *pareto.sentences(comparison)]
    assert told
    assert all(sentence in text for sentence in told)


def test_differences_are_from_what_each_arm_is_compared_with():
    study, records = study_of()
    chained = replace(study, references={"wide": "dropout=0.1"})
    for each, other in ((study, "base"), (chained, "what it is compared with")):
        comparison = compare(each, records)
        (axes,) = paired_differences(comparison).axes
        assert f"arm − {other}" in " ".join(axes.get_xlabel().split())
        _, chart = pair_panels(pairs_run(comparison))
        assert chart.chart_strings["title"].endswith(f"arm − {other}")


def test_missing_and_failed_cells_are_named_with_their_causes():
    study, records = study_of()
    report, *_ = built(study, drop_records(records, "base-1-4"))
    lines = texts_of(spec_of(report)["spec"])
    assert "base, seed 1, fold 4 (base-1-4): out of memory, 8 GiB are full" in lines
    assert f"wide, seed 0, fold 3 ({LOST})" in lines


def test_a_study_without_a_finished_trial_has_no_pairs_to_show():
    study, _ = study_of()
    report, *_ = built(study, {})
    assert "Pairs" not in texts_of(spec_of(report)["spec"])
    assert "Verdicts" in texts_of(spec_of(report)["spec"])


def test_a_long_name_and_symbols_fit_into_what_wandb_takes():
    study, records = study_of()
    report, workspace, _ = built(replace(study, name="a+b" * 60), records)
    assert len(report.title) == 128
    assert workspace.name.startswith("a-b")


# What they name


def test_learning_curves_are_means_of_arms_over_epochs_with_their_spread():
    report, *_ = built(*study_of())
    lines = [p["config"] for p in panels_of(spec_of(report)) if "Line Plot" in p["viewType"]]
    assert [line["metrics"] for line in lines] == [["val/accuracy"], ["val/loss"], ["train/loss"]]
    for line in lines:
        assert (line["xAxis"], line["groupBy"]) == ("epoch", "arm.value")
        assert (line["groupAgg"], line["groupArea"]) == ("mean", "stddev")


def test_no_arm_or_run_is_cut_off_by_a_panels_own_limit():
    report, workspace, subject = built(*study_of())
    assert subject.num_runs == 24
    for view in (report, workspace):
        limits = [p["config"]["limit"] for p in panels_of(spec_of(view)) if "limit" in p["config"]]
        assert limits
        assert set(limits) == {24}


def test_ids_are_unique():
    for view in built(*study_of())[:2]:
        ids = [panel["__id__"] for panel in panels_of(spec_of(view))]
        assert len(ids) == len(set(ids)) >= 8


def test_the_report_shows_finished_runs_of_its_own_plan_alone_and_the_workspace_all():
    report, workspace, subject = built(*study_of())
    group = {"key": {"section": "run", "name": "group"}, "op": "=", "value": "dropout"}
    (of_workspace,) = filters_of(spec_of(workspace))
    assert [{**group, "disabled": False}] == of_workspace["filters"]
    pairs, *of_report = filters_of(spec_of(report))
    assert pairs["filters"][0]["key"] == {"section": "run", "name": "name"}
    for found in of_report:
        named = {c["key"]["name"]: c["value"] for c in found["filters"]}
        assert named == {"group": "dropout", "state": "finished", "trial": list(subject.trials)}
    assert LOST not in subject.trials


@pytest.mark.parametrize("name", ["it's", 'a "b"', "back\\slash", "a=b"])
def test_any_name_of_a_study_filters_its_own_group(name):
    study, records = study_of()
    _, workspace, _ = built(replace(study, name=name), records)
    (found,) = filters_of(spec_of(workspace))
    assert found["filters"][0]["value"] == name


def test_nothing_is_drawn_that_nobody_recorded():
    study, records = study_of()
    unknown = {key: replace(r, cost=replace(r.cost, macs=None)) for key, r in records.items()}
    subject = study_runs(study, unknown, {})
    titles = [panel.title for panel in sections(subject)["Cost"]]
    assert titles == ["parameters", "seconds of a trial"]
    assert "Learning curves" not in sections(subject)


def test_runs_that_no_arm_groups_stand_for_themselves():
    study, records = study_of()
    subject = replace(study_runs(study, records, histories(study)), arm="")
    specs = [p._to_model().model_dump(by_alias=True) for s in sections(subject).values() for p in s]
    assert not any(spec["config"].get("groupBy") for spec in specs)
    (parallel,) = [s["config"] for s in specs if "columns" in s["config"]]
    names = [column["accessor"] for column in parallel["columns"]]
    assert names == ["config:model.value.dropout", "summary:test/accuracy"]


def test_runs_of_another_program_are_grouped_by_what_was_changed():
    study, records = study_of()
    origin = replace(records["base-0-1"].provenance, data="")
    foreign = {key: replace(record, provenance=origin) for key, record in records.items()}
    report, workspace, subject = built(study, foreign)
    assert (subject.arm, subject.costs) == ("model.dropout", ())
    assert filters_of(spec_of(workspace))[0]["filters"] == []
    _, of_report, *_ = filters_of(spec_of(report))
    assert [condition["key"]["name"] for condition in of_report["filters"]] == ["state"]
    grouped = [p["config"].get("groupBy") for p in panels_of(spec_of(workspace))]
    assert "model.value.dropout" in grouped
    assert "arm.value" not in grouped


def test_pairs_are_a_line_an_arm_and_block_and_a_picture():
    study, records = study_of()
    run = answer_run(compare(study, records))
    assert run.columns == ("arm", "block", "seed", "fold", "difference")
    assert run.rows[0] == ("dropout=0.1", 1, 0, 1, pytest.approx(3.0))
    assert [row[1] for row in run.rows] == list(range(1, 9))
    assert run.figure_png.startswith(b"\x89PNG")
    assert run.group != study.name


def test_another_answer_is_another_run():
    study, records = study_of()
    first = records["base-0-1"]
    changed = {**records, first.id: replace(first, metrics={"test/accuracy": 0.7})}
    ids = [answer_run(compare(study, each)).id for each in (records, records, changed)]
    assert ids[0] == ids[1] != ids[2]


def test_panels_read_only_what_a_trial_really_tells(tmp_path, tiny_config, cache):
    """Every key of every panel is in the run: a panel on a wrong one would be empty for ever."""
    study, records = study_of()
    changes: Json = {"model.dropout": 0.1}
    study = replace(study, arms={"base": {}, **dict.fromkeys(list(study.arms)[1:], changes)})
    run = train_offline(tiny_config(changes), tmp_path, cache)
    report, workspace, _ = built(study, records)
    num_keys = 0
    for view in (report, workspace):
        for panel in panels_of(spec_of(view)):
            for where, key in keys_of(panel):
                assert has_key(run, where, key), f"{panel['viewType']}: no {key} in the {where}"
                num_keys += 1
    assert num_keys > 30
    assert run.group == "dropout"


# Where they end up


def test_without_a_key_both_are_written_into_the_studys_folder(folder):
    said = report_to_wandb(folder)
    report, workspace = (
        read_json(folder.path / "report.wandb.json"),
        folder.path / "workspace.wandb.json",
    )
    assert report["displayName"] == "dropout"
    assert report["project"] == {"name": "audiocls", "entityName": ""}
    assert f"wide, seed 0, fold 3 ({LOST}): out of memory, 8 GiB are full" in texts_of(report)
    assert read_json(workspace)["displayName"] == "dropout"
    assert "wandb login" in said


def test_a_file_that_is_asked_for_is_written_even_with_a_key(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    said = report_to_wandb(folder, "--out", str(tmp_path / "there" / "r.json"), "--entity", "us")
    assert read_json(tmp_path / "there" / "r.json")["project"]["entityName"] == "us"
    assert (tmp_path / "there" / "workspace.wandb.json").exists()
    assert "wandb login" not in said
    report_to_wandb(folder, "--out", str(tmp_path / "workspace.wandb.json"), code=2)


def test_the_place_is_that_of_the_option_then_of_the_registered_sweep(folder):
    (folder.path / "wandb.json").write_text('{"entity": "us", "project": "ears", "sweep": "s1"}')
    report_to_wandb(folder)
    found = read_json(folder.path / "report.wandb.json")["project"]
    assert found == {"name": "ears", "entityName": "us"}
    report_to_wandb(folder, "--project", "other")
    found = read_json(folder.path / "report.wandb.json")["project"]
    assert found == {"name": "other", "entityName": "us"}


def test_without_the_extra_one_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("audiocls.render.formats.wandb.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'audiocls\[dashboards\]'"):
        require_workspaces()


def test_help_and_other_formats_load_nothing_of_it(folder):
    program = (
        "import sys\n"
        "from audiocls.cli import app\n"
        "try:\n"
        f"    app(['report', {str(folder.path)!r}, '--format', 'md'])\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "loaded = {'wandb', 'wandb_workspaces', 'matplotlib'} & sys.modules.keys()\n"
        "assert not loaded, loaded\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_both_are_saved_online_with_the_pairs_and_read_back_as_written(folder, server):
    said = report_to_wandb(folder)
    saved = read_json(folder.path / "dashboards.json")
    assert saved["report_url"] in said
    assert saved["workspace_url"] in said
    report_to_wandb(folder, "--entity", "local", "--out", str(folder.path / "r.json"))
    kept = {view.type: json.loads(view.text) for view in server.views()}
    assert kept["runs"] == read_json(folder.path / "r.json")["spec"]
    assert kept["project-view"] == read_json(folder.path / "workspace.wandb.json")["spec"]
    report = wr.Report.from_url(saved["report_url"])
    assert list(panels_of(spec_of(report))) == list(panels_of(kept["runs"]))
    assert texts_of(spec_of(report)["spec"]) == texts_of(kept["runs"])
    workspace = spec_of(ws.Workspace.from_url(saved["workspace_url"]))["spec"]
    assert workspace["section"]["runSets"] == kept["project-view"]["section"]["runSets"]
    assert list(panels_of(workspace)) == list(panels_of(kept["project-view"]))
    (run,) = server.runs()
    assert (run.id, run.state) == (saved["answer"], "finished")
    assert run.summary["pairs"]["nrows"] == 8
    assert any(name.endswith(".png") for name in run.files)
    (shown, *_) = filters_of(kept["runs"])
    assert shown["filters"][0]["value"] == run.id


def test_saving_again_replaces_both_and_uploads_the_pairs_once(folder, server):
    report_to_wandb(folder)
    before, num_rows = read_json(folder.path / "dashboards.json"), len(server.runs()[0].history)
    report_to_wandb(folder)
    assert read_json(folder.path / "dashboards.json") == before
    assert len(server.views()) == 2
    assert len(server.runs()[0].history) == num_rows
    report_to_wandb(folder, "--project", "other")
    assert len(server.views()) == 4


def test_a_server_that_refuses_is_one_error_that_says_what_to_do(folder, server):
    server.fail("upsertView", status=403)
    said = report_to_wandb(folder, code=2)
    assert "W&B did not take the report" in said
    assert "--out FILE" in said
    assert not (folder.path / "dashboards.json").exists()
