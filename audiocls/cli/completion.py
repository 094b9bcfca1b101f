"""What the shell offers while somebody types: names, keys, values. It answers at once.

Each function takes what is typed so far and returns what begins so. Nothing is read but the names
of files and `keys.txt`, which `make schema` writes; a fault of the disk offers nothing.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cache
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiocls.errors import AudioclsError
from audiocls.formatting import RUNS
from audiocls.render.output import FORMATS

if TYPE_CHECKING:
    from audiocls.library_files import Kind

REQUEST = "_AUDIOCLS_COMPLETE"
"""Environment variable by which a shell asks; typer derives it from the program's name."""
BREAKS = frozenset("=:")
"""At which bash breaks words."""
KINDS = ["models", "features", "data", "losses", "optimizers", "schedules", "augment", "metrics"]
MODES = {
    "wandb": ["online", "offline", "disabled"],
    "executor": ["local", "inline", "slurm", "ray"],
}


def ablations(incomplete: str) -> list[str]:
    """Offer ablations."""
    return _beginning(_named("ablations"), incomplete)


def questions(incomplete: str) -> list[str]:
    """Offer ablations and sweeps: all that can be planned and launched."""
    return _beginning({**_named("ablations"), **_named("sweeps")}, incomplete)


def sweeps(incomplete: str) -> list[str]:
    """Offer sweeps."""
    return _beginning(_named("sweeps"), incomplete)


def recipes(incomplete: str) -> list[str]:
    """Offer recipes."""
    return _beginning(_named("recipes"), incomplete)


def data_sets(incomplete: str) -> list[str]:
    """Offer data sets."""
    return _beginning(values_of("data.name"), incomplete)


def formats(incomplete: str) -> list[str]:
    """Offer the formats of reports."""
    return _beginning(FORMATS, incomplete)


def kinds_of_parts(incomplete: str) -> list[str]:
    """Offer what `parts list` takes."""
    return _beginning(KINDS, incomplete)


def wandb_modes(incomplete: str) -> list[str]:
    """Offer W&B's modes."""
    return _beginning(MODES["wandb"], incomplete)


def executors(incomplete: str) -> list[str]:
    """Offer what can run trials."""
    return _beginning(MODES["executor"], incomplete)


def studies(ctx: Any, incomplete: str) -> list[str]:
    """Offer the studies below the folder of `--runs`."""
    names = sorted(file.parent.name for file in _runs(ctx).glob("*/study.yaml"))
    return _beginning(names, incomplete)


def trials(ctx: Any, incomplete: str) -> list[str]:
    """Offer the best trial of each study below the folder of `--runs`, then of each of its arms."""
    study, colon, _ = incomplete.partition(":")
    names = ["best"]
    if colon:
        with suppress(OSError, AudioclsError):
            names += _arms_in(_runs(ctx) / study / "study.yaml")
    offered = [f"{each}:{name}" for each in studies(ctx, study) for name in names]
    return _beginning(offered, incomplete)


def arms(ctx: Any, incomplete: str) -> list[str]:
    """Offer the arms of a launched study, or those that an ablation's file names."""
    # Of a line that ends in an option without its value, the words are not parameters yet.
    words = [ctx.params.get("name"), *ctx.args]
    name = next((word for word in words if word and not word.startswith("-")), "")
    places = (_runs(ctx) / name / "study.yaml", _named("ablations").get(name, Path(name)))
    *before, last = incomplete.split(";")
    stem = "".join(f"{each};" for each in before)
    for place in places:
        with suppress(OSError, AudioclsError):
            return [f"{stem}{arm}" for arm in _beginning(_arms_in(place), last)]
    return []


def _arms_in(file: Path) -> dict[str, Any]:
    """Return the mapping below `arms:`; the rest, a large study's cells, is not parsed."""
    from audiocls import yaml_file

    lines = file.read_text(encoding="utf-8").splitlines()
    begin = next((i for i, line in enumerate(lines) if line.startswith("arms:")), len(lines))
    end = next((i for i in range(begin + 1, len(lines)) if lines[i][:1].isalpha()), len(lines))
    block = yaml_file.parse("\n".join(lines[begin:end]) or "{}", str(file))
    return dict(block.get("arms") or {})


def _runs(ctx: Any) -> Path:
    return Path(ctx.params.get("runs") or os.environ.get("AUDIOCLS_RUNS") or RUNS)


def assignments(incomplete: str) -> list[str]:
    """Offer keys of recipes; after `KEY=`, the words that the key takes."""
    key, equals, value = incomplete.partition("=")
    if not equals:
        return _beginning(keys(), incomplete)
    return [f"{key}={word}" for word in _beginning(values_of(key), value)]


def root_assignments(incomplete: str) -> list[str]:
    """Offer keys of data sets."""
    return [each for each in assignments(incomplete) if each.startswith("data.")]


@cache
def keys() -> dict[str, list[str]]:
    """Return every key of a recipe, with the words that it takes; none for a number or a text."""
    lines = files("audiocls").joinpath("cli/keys.txt").read_text(encoding="utf-8").splitlines()
    return {key: words.split() for key, _, words in (line.partition(" ") for line in lines)}


def values_of(key: str) -> list[str]:
    """Return the words that a key takes."""
    return keys().get(key, [])


def _named(kind: "Kind") -> dict[str, Path]:
    from audiocls.library_files import available

    with suppress(OSError):
        return available(kind)
    return {}


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


@contextmanager
def joined() -> Iterator[None]:
    """Ask with whole words where bash asks, and print of what is offered what bash replaces.

    It breaks `optim.name=ad` into three words, and replaces what follows the sign alone
    (COMP_WORDBREAKS); other shells keep such words whole.
    """
    if os.environ.get(REQUEST) != "complete_bash":
        yield
        return
    words, place = os.environ["COMP_WORDS"].split("\n"), int(os.environ["COMP_CWORD"])
    if len(words) == 1:  # by whoever joins them with blanks
        words = words[0].split(" ")
    whole, place = rejoined(words, place)
    os.environ |= {"COMP_WORDS": "\n".join(whole), "COMP_CWORD": str(place)}
    before = _kept(whole[place]) if place < len(whole) else ""
    offered = StringIO()
    try:
        with redirect_stdout(offered):
            yield
    finally:
        for line in offered.getvalue().splitlines():
            sys.stdout.write(f"{line.removeprefix(before)}\n")


def rejoined(words: Sequence[str], place: int) -> tuple[list[str], int]:
    """Return whole words, and the place among them of the word at `place`.

    >>> rejoined(["audiocls", "train", "optim.name", "=", "ad"], 4)
    (['audiocls', 'train', 'optim.name=ad'], 2)
    """
    whole: list[str] = []
    is_open, found = False, 0
    for number, word in enumerate(words):
        is_break = bool(word) and set(word) <= BREAKS
        if whole and (is_break or (is_open and not word.startswith("-"))):
            whole[-1] += word
        else:
            whole.append(word)
        is_open = is_break
        found = len(whole) - 1 if number == place else found
    return whole, found if place < len(words) else len(whole)


def _kept(word: str) -> str:
    """Return the part of a word that bash keeps: up to its last break."""
    return word[: max(word.rfind(each) for each in BREAKS) + 1]
