"""Studies that ask the same question on other seeds: their names, and what is free among them."""

import re
import shlex
from itertools import count

from audiocls.analysis.next_step import Surroundings
from audiocls.store import Study, StudyFolder, is_same_question
from audiocls.studies.options import RUNS


def surroundings_of(folder: StudyFolder, study: Study) -> Surroundings:
    """Return what a next study must know of where this one lies."""
    later = _later(folder, study)
    names = [study.name, *(each.name for each in later)]
    seeds = [seed for each in (study, *later) for seed in each.seeds]
    runs = folder.path.parent
    return Surroundings(
        name=_next_name(folder, names[-1]),
        first_seed=max(seeds, default=-1) + 1,
        options="" if runs == RUNS else f" --runs {shlex.quote(str(runs))}",
        later_study=later[-1].name if later else "",
    )


def _later(folder: StudyFolder, study: Study) -> list[Study]:
    """Return the studies `NAME-2`, `NAME-3` … beside this one that ask the same question."""
    later: list[Study] = []
    name = study.name
    while True:
        name = _numbered(name)
        beside = StudyFolder(folder.path.with_name(name))
        if not beside.exists():
            return later
        other = beside.study()
        if other.kind == study.kind and is_same_question(study, other):
            later.append(other)


def _next_name(folder: StudyFolder, name: str) -> str:
    """Return the next name that no folder has."""
    stem, number = _parts(name)
    names = (f"{stem}-{each}" for each in count(number + 1))
    return next(each for each in names if not folder.path.with_name(each).exists())


def _numbered(name: str) -> str:
    stem, number = _parts(name)
    return f"{stem}-{number + 1}"


def _parts(name: str) -> tuple[str, int]:
    """Return a name and its number.

    >>> _parts("dropout"), _parts("dropout-2")
    (('dropout', 1), ('dropout', 2))
    """
    match = re.fullmatch(r"(.+)-(\d+)", name)
    return (match[1], int(match[2])) if match else (name, 1)
