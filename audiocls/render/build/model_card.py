"""The card of an exported model: what it was trained on, what it reached, what it is not for."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from audiocls import stats
from audiocls.analysis.clips.scored import scored
from audiocls.audio.fetch.origins import ORIGINS
from audiocls.dotted import flatten
from audiocls.formatting import format_count, format_fixed, format_value, join_names, plural
from audiocls.render.build.headline import headline, scope_words
from audiocls.render.build.ranking import ranking_headline
from audiocls.render.document import Block, Document, Facts, Items, Note, Section, Text, Title
from audiocls.store import Damaged, Record, Study, StudyFolder, TrialFolder
from audiocls.studies.reports import load_ranking, load_report

MOST_CLASSES = 50
FEW_CLIPS = 100
"""Test clips below which an estimate says little of new recordings."""


def model_card(file: Path, trial: TrialFolder, facts: Mapping[str, Any]) -> Document:
    """Return the card of the model in `file`, exported from a trial; `facts` are its metadata."""
    record, folder = trial.record(), StudyFolder(trial.path.parent.parent)
    study = folder.study() if folder.exists() else None
    config = trial.config()
    blocks: tuple[Block, ...] = (
        Title(file.name, f"An audio classifier, {len(facts['labels'])} classes"),
        Section("Use", (Text(_use(facts)), Facts(tuple(_input(facts))))),
        Section("Training data", (Facts(tuple(_data(config, record))),)),
        Section("Recipe", (Facts(tuple(_recipe(trial, study, config, record))),)),
        Section("Result", tuple(_result(trial, record))),
        *((Section("Its study", tuple(_verdict(folder, study, trial))),) if study else ()),
        Section("Limits", (Items(tuple(_limits(facts, record))),)),
        Section("Versions", (Facts(tuple(_versions(facts, record))),)),
    )
    return Document(file.name, blocks, lambda: {"model": file.name, **facts})


def _use(facts: Mapping[str, Any]) -> str:
    names = join_names(facts["labels"], MOST_CLASSES)
    several = "any number" if facts["output"].endswith("sigmoid") else "one"
    return (
        f"Gives a recording {several} of these labels, and each its probability: {names}. It is "
        "meant for recordings like those that it was trained on."
    )


def _input(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rate, num = facts["sample_rate"], facts["num_samples"]
    yield "input", f"{facts['input']} ({', '.join(map(str, facts['input_shape']))}), float32"
    if facts["input"] == "waves":
        yield "audio", f"one channel, the mean of all; {rate} Hz; full scale is ±1"
    yield "length", f"{facts['length']}; trained on {num} samples, which are {num / rate:g} s"
    yield "padding", str(facts["padding"])
    yield "output", f"{facts['output'].replace(', ', '; probabilities are their ')}"


def _data(config: Mapping[str, Any], record: Record | None) -> Iterator[tuple[str, str]]:
    data = config.get("data", {})
    origin = ORIGINS.get(str(data.get("name")))
    yield "data set", origin.what if origin else str(data.get("name", "not known"))
    is_known = origin is not None and origin.name != "folder"
    yield "licence", origin.licence if origin and is_known else "not known here: state it"
    if origin and origin.page:
        yield "page", origin.page
    if record is None:
        return
    clips = {"trained on": record.num_train, "validation": record.num_val, "test": record.num_test}
    yield "clips", ", ".join(f"{name} {num}" for name, num in clips.items() if num is not None)
    yield "split", f"fold {record.fold} is the test clips, seed {record.seed}"
    yield "fingerprint", record.provenance.data or "not recorded"


def _recipe(
    trial: TrialFolder, study: Study | None, config: Mapping[str, Any], record: Record | None
) -> Iterator[tuple[str, str]]:
    yield "trial", trial.id
    if study is not None and study.recipe:
        yield "recipe", study.recipe
    arm = next((cell.arm for cell in study.cells if cell.id == trial.id), "") if study else ""
    if study is not None and arm:
        changes = ", ".join(f"{key}={format_value(v)}" for key, v in study.arms[arm].items())
        yield "arm", f"{arm} ({changes})" if changes and changes != arm else arm
    for part in ("features", "model", "optim", "train"):
        values = flatten(config.get(part, {}))
        name = str(values.pop("name", ""))
        rest = ", ".join(f"{key}={format_value(value)}" for key, value in values.items())
        if name or rest:
            yield part, f"{name}: {rest}" if name and rest else name or rest
    if record is not None:
        cost = record.cost
        yield "size", f"{format_count(cost.num_params)} parameters, {format_count(cost.macs)} MACs"


def _result(trial: TrialFolder, record: Record | None) -> Iterator[Block]:
    if record is None:
        yield Text("Its trial's record was not beside the weights: nothing is known of its score.")
        return
    tested = {key: value for key, value in record.metrics.items() if key.startswith("test/")}
    items = {name: format_fixed(value, 4) for name, value in tested.items()}
    if (interval := _interval(trial)) is not None and "test/accuracy" in items:
        low, high = (format_fixed(bound, 4) for bound in interval)
        items["test/accuracy"] += f" [{low}, {high}], 95 % over recordings"
    yield Facts(tuple(items.items()))
    yield Note(
        "These are of this one training on clips that it was not trained on. The interval says how "
        "much other recordings of the same kind would change it, and nothing of another training."
    )


def _interval(trial: TrialFolder) -> tuple[float, float] | None:
    """Return the interval of the accuracy; none without predictions, or with several labels."""
    with suppress(Damaged, FileNotFoundError, KeyError, ValueError):
        arrays = trial.predictions()
        if arrays["labels"].ndim == 1:
            known = scored(arrays)
            return stats.accuracy_interval(known.is_right, known.sources.tolist())
    return None


def _verdict(folder: StudyFolder, study: Study, trial: TrialFolder) -> Iterator[Block]:
    """Yield what the study says of the trial's arm, or of its place among the trials."""
    if study.question:
        yield Text(f"{study.name}: {study.question}")
    if study.kind == "search":
        yield Text(ranking_headline(load_ranking(folder)))
        return
    report = load_report(folder)
    comparison = report.comparison
    arm_name = next((cell.arm for cell in report.study.cells if cell.id == trial.id), "")
    verdict = next((arm.verdict for arm in comparison.arms if arm.arm == arm_name), "")
    if verdict:
        wording = {
            "baseline": "the baseline, with which the others are compared",
            "not_due": "without a verdict yet, for trials of its study have yet to end",
        }
        scope = scope_words(comparison)
        yield Text(f"Arm {arm_name}: {wording.get(verdict, verdict.replace('_', ' '))}, {scope}.")
    if comparison.compared:
        yield Text(headline(comparison))


def _limits(facts: Mapping[str, Any], record: Record | None) -> Iterator[str]:
    yield "Sounds of no class get one of these labels too: there is no class for anything else."
    yield "Other microphones, rooms and noises than the training data's were not tested."
    if facts["length"] == "any":
        yield (
            "A whole recording is in memory at once; for hours, cut it into windows of "
            f"{facts['num_samples']} samples and average their probabilities."
        )
    if record is not None and record.num_test is not None and record.num_test < FEW_CLIPS:
        yield f"It was tested on {plural(record.num_test, 'clip')}: few to judge by."
    yield "Probabilities are as trained, and were not calibrated."


def _versions(facts: Mapping[str, Any], record: Record | None) -> Iterator[tuple[str, str]]:
    yield "exported by", f"audiocls {facts['audiocls']}"
    if record is not None:
        origin = record.provenance
        yield "trained by", f"audiocls {origin.audiocls} (code {origin.code}), torch {origin.torch}"
        yield "on", f"{origin.device}, Python {origin.python}"
        yield "finished", origin.finished
