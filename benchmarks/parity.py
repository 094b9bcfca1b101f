"""The five source systems beside our recipes, row by row, from golden numbers alone.

    PYTHONPATH=tests python benchmarks/parity.py            # minutes: steps at full size
    PYTHONPATH=tests python benchmarks/parity.py --quick    # seconds: without those

The numbers were made once by running the authors' code; they lie in tests/golden/parity.json and
tests/golden/{eat,audax}_steps.json, and neither that code nor a network is needed. A row is
`equal`, or `differs`; where it differs on purpose, the header of the recipe has to say so. Exits
with 1 if a row differs that no header explains.
"""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from audiocls import library
from audiocls.config import Config, resolve
from audiocls.dotted import flatten
from audiocls.training.budget import counted_macs
from audiocls.training.cost import num_params

GOLDEN = Path(__file__).parents[1] / "tests/golden/parity.json"
RECIPES = Path(library.__file__).parent / "recipes"


@dataclass(frozen=True)
class Row:
    """One fact of a source system, and ours."""

    what: str
    recipe: str
    theirs: str
    ours: str
    is_equal: bool
    is_explained: bool = False

    @property
    def verdict(self) -> str:
        """`equal`, `differs (header)` or `differs`."""
        return "equal" if self.is_equal else "differs" + " (header)" * self.is_explained


def rows() -> Iterator[Row]:
    """Yield the rows of parameters, multiply-accumulates, options, and known differences."""
    for fact in json.loads(GOLDEN.read_text(encoding="utf-8"))["rows"]:
        what, recipe = fact["what"], fact["recipe"]
        is_explained = fact.get("header", "\0") in header_of(recipe)
        if "differs" in fact:
            yield Row(what, recipe, "–", fact["differs"], False, is_explained)
            continue
        theirs, ours = compared(fact)
        yield Row(what, recipe, f"{theirs}", f"{ours}", theirs == ours, is_explained)


def compared(fact: dict[str, Any]) -> tuple[Any, Any]:
    """Return what the source has, and what the recipe has."""
    config = config_of(fact["recipe"], fact.get("set", {}), fact.get("counting"))
    if "key" in fact:
        return fact["value"], flatten(config.model_dump(mode="json")).get(fact["key"])
    if "params" in fact:
        return fact["params"], num_params(config.model.build(config.in_shape, fact["classes"]))
    return fact["macs"], counted_macs(config, fact["classes"])


def config_of(recipe: str, changes: dict[str, Any], counting: str | None = None) -> Config:
    """Return the recipe as it is, with what the row changes."""
    count = {"budget.counting": counting} if counting else {}
    return resolve([library.recipe(recipe), changes, count], recipe)


def header_of(recipe: str) -> str:
    """Return the comment lines that a recipe opens with, as one line."""
    lines = (RECIPES / f"{recipe}.yaml").read_text(encoding="utf-8").splitlines()
    return " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))


def step_rows() -> Iterator[Row]:
    """Yield a row for each recipe of EAT and audax whose optimiser steps the authors' code took.

    Outputs, loss, gradient and updated weights; and a row for each front end of audax.
    """
    eat, audax, front_ends = (
        importlib.import_module(name)  # of the folder tests
        for name in ("test_eat_steps", "test_audax_steps", "test_audax_features")
    )
    for case in eat.shared.CASES:
        check = eat.test_two_steps_of_an_eat_recipe_equal_the_authors
        yield _row("EAT: two optimiser steps", case.recipe, partial(check, case, sounds_of))
    for case in audax.shared.CASES:
        check = audax.test_steps_of_an_audax_recipe_equal_those_of_audax
        what = f"audax: outputs and steps of {case.name}"
        yield _row(what, case.recipe, partial(check, case, sounds_of))
    for name in front_ends.FRONT_ENDS:
        check = front_ends.test_a_front_end_equals_that_of_audax
        yield _row(f"audax: front end {name}", "any of audax'", partial(check, name))


def _row(what: str, recipe: str, check: Callable[[], None]) -> Row:
    """Return the row of a comparison that raises where it finds a difference."""
    try:
        check()
        ours = "the same"
    except AssertionError as error:
        ours = (str(error).splitlines() or ["other"])[0]
    return Row(what, recipe, "golden", ours, ours == "the same")


def sounds_of(config: Config) -> Any:
    """Return the data set of a configuration, in the folder of caches."""
    from audiocls.audio.clips import fingerprint
    from audiocls.audio.dataset import open_dataset
    from audiocls.studies.options import cache_folder

    cache = cache_folder()
    table = config.data.table(cache)
    return open_dataset(config.data, config.features, table, fingerprint(table, cache), cache)


def main() -> int:
    """Print the table; return 1 if a difference is not explained, else 0."""
    found = list(rows())
    if "--quick" not in sys.argv[1:]:
        found += step_rows()
    wide = max(len(row.what) for row in found)
    for row in found:
        print(f"{row.verdict:17} {row.recipe:22} {row.what:{wide}} {row.theirs} | {row.ours}")
    unexplained = [row for row in found if not row.is_equal and not row.is_explained]
    num_equal = sum(row.is_equal for row in found)
    print(f"{num_equal} of {len(found)} rows equal, {len(unexplained)} differ without a reason")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
