"""`audiocls report A B`: studies compared with each other."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from audiocls import console
from audiocls.analysis.contrasts.cross_study import MultiStudyReport, StudyRecords, compare_studies
from audiocls.atomic import write_text
from audiocls.errors import NotComparable, UsageError
from audiocls.render import cross_study
from audiocls.render.cross_study.figure import MAX_STUDIES
from audiocls.store import StudyFolder
from audiocls.store.study import open_study

FORMATS = ("terminal", "md", "html")


def report_across(
    names: Sequence[str], runs: Path, as_json: bool, format_: str, out: Path | None
) -> None:
    """The first of the studies against each other one."""
    _check(names, format_)
    joint = compare_studies([_known(name, names, runs) for name in names])
    if as_json:
        console.show_json(cross_study.as_json(joint))
    elif format_ == "terminal":
        _show(joint)
    else:
        text = cross_study.to_html(joint) if format_ == "html" else cross_study.to_markdown(joint)
        _write(text, out or (_beside(names, runs) if format_ == "html" else None))
    if all(result.verdict == "not_comparable" for a in joint.across for result in a.results):
        raise NotComparable("no arm can be compared across these studies; see the reasons")


def _check(names: Sequence[str], format_: str) -> None:
    if format_ not in FORMATS:
        allowed = ", ".join(FORMATS)
        raise UsageError(f"--format: got {format_!r}; allowed for several studies: {allowed}")
    if len(set(names)) < len(names):
        raise UsageError(f"a study is named twice: {', '.join(names)}")
    if len(names) > MAX_STUDIES:
        raise UsageError(f"got {len(names)} studies; at most {MAX_STUDIES} are compared at once")


def _known(name: str, names: Sequence[str], runs: Path) -> StudyRecords:
    """A study under its own name, or its path where another one has the same name."""
    folder = open_study(name, runs)
    if folder.is_sweep():
        raise UsageError(f"{name} is a sweep; only studies of ablations are compared with others")
    own = [open_study(other, runs).name for other in names].count(folder.name) == 1
    study = replace(folder.study(), name=folder.name if own else str(folder.path))
    return study, folder.records(study.cells)


def _beside(names: Sequence[str], runs: Path) -> Path:
    folders: list[StudyFolder] = [open_study(name, runs) for name in names]
    return runs / f"{'-and-'.join(folder.name for folder in folders)}.html"


def _show(joint: MultiStudyReport) -> None:
    for table in cross_study.tables(joint):
        console.show_table(table.title, table.columns, table.rows, text=table.text)
    for sentence in cross_study.sentences(joint):
        console.say(sentence)
    for remark in cross_study.remarks(joint):
        console.say(f"Note: {remark}")


def _write(text: str, out: Path | None) -> None:
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        console.say(str(out))
