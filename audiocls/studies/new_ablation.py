"""`ablation new`: a question about a recipe, written as a file that can be planned and edited."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls import library, yaml_file
from audiocls.atomic import publish
from audiocls.config import Config, merge, resolve
from audiocls.design import BASELINE, load_ablation, plan
from audiocls.dotted import flatten
from audiocls.errors import ConfigError, UsageError
from audiocls.field_words import NEEDED, keys_meant
from audiocls.formatting import command_line, format_level, plural
from audiocls.studies.resolve import configs_of
from audiocls.validation_errors import keys_below

SEEDS, FOLDS = (0, 1), (1, 2, 3, 4, 5)
"""Of data with several folds; of data with one official split, the seeds are as many as the folds:
ten pairs or five, of which each comparison can become significant."""
BLOCKS = {
    "seed": "every arm is trained on each seed, so it is no factor: leave it out here, and give "
    "`sweep launch` --seeds 0..4",
    "fold": "every arm is trained on each fold, so it is no factor: leave it out here, and give "
    "`sweep launch` --folds 1..3",
}
UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
WANTED = "wanted: KEY=VALUE[,VALUE…], such as model.dropout=0.1,0.2, or a word such as mixup"

Arms = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class NewAblation:
    """An ablation that is written but not asked yet."""

    file: Path
    arms: tuple[str, ...]
    num_trials: int
    notes: tuple[str, ...]
    """What was left out or set, and why."""


def new_ablation(name: str, recipe: str, factors: Sequence[str], out: Path) -> NewAblation:
    """Write `out`, which asks what each level of each factor changes; it replaces no file.

    Raises `ConfigError` with every factor that the recipe cannot have, before anything is written.
    """
    if out.exists():
        raise UsageError(f"{out}: already exists; move it away, or give another --out")
    content = library.recipe(recipe)
    base = resolve([content], recipe)
    arms, notes = _arms(content, factors, base)
    fixed, why = _fixed(base)
    subjects = dict.fromkeys(_short(text.partition("=")[0]) for text in factors)
    content_of_file = {
        "name": name,
        "question": f"Does {' or '.join(subjects)} help {Path(recipe).stem}?",
        "recipe": recipe,
        **({"overrides": fixed} if fixed else {}),
        "arms": {BASELINE: {}, **arms},
        "blocks": _blocks(base),
        **({"metric": {"name": "test/map"}} if base.data.is_multi_label else {}),
    }
    ablation = load_ablation(content_of_file, str(out))
    planned = plan(ablation)
    configs_of(planned, content, {})
    out.parent.mkdir(parents=True, exist_ok=True)
    text = _header(content_of_file, planned.num_trials, out) + _body(content_of_file, why)
    if not publish(out, text.encode()):
        raise UsageError(f"{out}: already exists; move it away, or give another --out")
    return NewAblation(out, tuple(planned.arms), planned.num_trials, (*notes, *why))


def _arms(
    content: Mapping[str, Any], factors: Sequence[str], base: Config
) -> tuple[Arms, list[str]]:
    """Return an arm for each level that differs from the recipe, and notes on those that do not."""
    arms: Arms = {}
    notes: list[str] = []
    faults: list[str] = []
    every = list(keys_below(Config, base.model_dump()))
    known = [key for key in every if not any(other.startswith(f"{key}.") for other in every)]
    for text in factors:
        try:
            levels = _levels(text, known, base)
        except ConfigError as error:
            faults += error.faults
            continue
        for arm, level in levels.items():
            changes, why = _with_needed(level, base)
            notes += [f"{arm}: {why}"] if why else []
            try:
                config = resolve([changes], arm, merged=merge([content]))
            except ConfigError as error:
                faults += error.faults
                continue
            if config == base:
                notes.append(f"{arm}: left out, for it is what the recipe has already")
            else:
                arms[arm] = changes
    if faults or not arms:
        raise ConfigError("--factor", list(dict.fromkeys(faults)) or [*notes, WANTED])
    return arms, notes


def _levels(text: str, known: Sequence[str], base: Config) -> Arms:
    """Return the arms of one factor: a key and its values, or a word that means them."""
    word, _, values = text.partition("=")
    meant = [word] if word in known else keys_meant(word, known) or [word]
    key, is_word, preset = meant[0].partition("=")
    if key in BLOCKS:
        raise ConfigError("--factor", [f"{word}: {BLOCKS[key]}"])
    levels = yaml_file.parse(f"[{values}]", f"--factor {word}")
    now = flatten(base.model_dump()).get(key)
    if is_word and levels in ([], [True]):
        return {UNFIT.sub("-", word): {key: yaml_file.parse(preset, word)}}
    if not levels:
        missing = "its values are missing"
        if key != word:
            missing = f"{word} is {' or '.join(meant)}, whose values are missing"
        recipes = f"; the recipe has {format_level(now)}" if key in known else ""
        raise ConfigError("--factor", [f"{word}: {missing}{recipes}; {WANTED}"])
    if bool in map(type, levels) and isinstance(now, int | float) and not isinstance(now, bool):
        got = f"{word}: got {values}; wanted: numbers, such as --factor {word}={now}"
        raise ConfigError("--factor", [got])
    stem = UNFIT.sub("-", _short(word))
    return {_arm_name(stem, level): {key: level} for level in levels}


def _with_needed(changes: Mapping[str, Any], base: Config) -> tuple[dict[str, Any], str]:
    """Return an arm's changes with what they have no effect without, and a note on that."""
    of_recipe = flatten(base.model_dump())
    for meaning, needed in NEEDED.items():
        (key, value), (other, least) = (_assigned(each) for each in (meaning, needed))
        if changes.get(key) == value and not of_recipe[other]:
            why = f"{needed} as well, without which {meaning} has no effect"
            return {**changes, other: least}, why
    return dict(changes), ""


def _assigned(text: str) -> tuple[str, Any]:
    """Return the key and the value of `KEY=VALUE`."""
    key, _, value = text.partition("=")
    return key, yaml_file.parse(value, key)


def _arm_name(stem: str, level: Any) -> str:
    """Return `dropout-0.1`, or `mixes-mixup-cutmix`."""
    text = UNFIT.sub("-", format_level(level)).strip("-") or "none"
    return f"{stem}-{text}"


def _short(word: str) -> str:
    """Return `dropout` of `model.dropout`, and `model` of `model.name`."""
    parent, _, leaf = word.rpartition(".")
    return parent.rpartition(".")[2] if leaf == "name" and parent else leaf


def _fixed(base: Config) -> tuple[dict[str, Any], list[str]]:
    """Return what an ablation of this recipe must set in every arm, and why."""
    if not base.train.patience:
        return {}, []
    why = "train.patience: set to 0, for arms that stop early are not trained alike"
    return {"train.patience": 0}, [why]


def _blocks(base: Config) -> dict[str, list[int]]:
    num_folds = base.data.num_folds or 1
    if num_folds == 1:
        return {"seed": list(range(len(FOLDS))), "fold": [1]}
    return {"seed": list(SEEDS), "fold": list(range(1, num_folds + 1))}


def _header(content: Mapping[str, Any], num_trials: int, out: Path) -> str:
    """Return the three lines that every ablation opens with: question, cost, command."""
    seeds, folds = (plural(len(content["blocks"][key]), key) for key in ("seed", "fold"))
    cost = f"{plural(len(content['arms']), 'arm')} x {folds} x {seeds} = {num_trials} trials"
    lines = (content["question"], cost, command_line("sweep", "launch", str(out)))
    return "".join(f"# {line}\n" for line in lines)


COMMENTS = {
    "recipe": "The baseline: data, features, model, training. audiocls recipe show prints it.",
    "arms": "Each arm changes keys of the recipe; the first is what the others are compared with.",
    "blocks": "Each arm is trained on each seed and fold; more seeds see smaller effects.",
}


def _body(content: Mapping[str, Any], why: Sequence[str]) -> str:
    comments = {**COMMENTS, **({"overrides": why[0]} if why else {})}
    lines = yaml_file.dump(content).splitlines()
    commented = (
        f"# {comments[key]}\n{line}" if (key := line.partition(":")[0]) in comments else line
        for line in lines
    )
    return "\n".join(commented) + "\n"
