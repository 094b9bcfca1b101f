"""One model: its layers before training; its scores and its labels after."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiocls import library
from audiocls.api.arguments import (
    Assignments,
    Folder,
    assignments_of,
    choice,
    existing_runs_folder,
    known_options,
)
from audiocls.api.frames import Rows, frame_of
from audiocls.api.report import Report, report_of
from audiocls.render.build.predictions import FORMATS, LabelSelection, label_selection
from audiocls.render.build.scores import CSV_COLUMNS, scores, to_csv
from audiocls.store.data_roots import known_root
from audiocls.studies.named_trials import find_trial
from audiocls.studies.options import cache_folder

if TYPE_CHECKING:
    from audiocls.training import evaluate as evaluation
    from audiocls.training.predict import Prediction, Predictor


@known_options
def show(
    recipe: str, *, set: Assignments | None = None, depth: int = 2, classes: int | None = None
) -> Report:
    """Return a recipe's model, layer by layer: output shapes, parameters, MACs, remaining budget.

    >>> import audiocls
    >>> audiocls.show("convnext1d-logmel").data()["params"]  # doctest: +SKIP
    104842
    """
    from audiocls.config import resolve
    from audiocls.render.build.layer_summary import layers
    from audiocls.training.cost import model_summary

    given = library.overrides(assignments_of(set) or [])
    config = resolve([library.recipe(recipe), given], recipe)
    return report_of(layers(model_summary(config, classes, cache_folder()), depth))


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The scores of a checkpoint on some clips: metrics, classes, and each clip's label.

    >>> import audiocls
    >>> audiocls.evaluate("runs/dropout/trials/a1b2c3d4e5f6").metrics  # doctest: +SKIP
    {'loss': 1.2, 'accuracy': 0.71}
    """

    scores: "evaluation.Evaluation"
    """Logits and targets, and what follows from them."""
    clips: str
    """Describes the clips."""
    notes: tuple[str, ...] = ()
    """Caveats, such as that some clips were trained on."""

    @property
    def metrics(self) -> dict[str, float]:
        """Loss and metrics, named as in a record without `test/`."""
        return self.scores.metrics()

    @cached_property
    def report(self) -> Report:
        """Metrics, classes and the most confused pairs, in every format but that of W&B."""
        return report_of(scores(self.scores, self.clips))

    def rows(self) -> Rows:
        """Return a dict for each clip: clip, source, label, predicted, probability."""
        return [dict(zip(CSV_COLUMNS, row, strict=True)) for row in self.scores.rows()]

    def frame(self, backend: str | None = None) -> Any:
        """Return `rows` as a frame of pandas or polars, whichever is there."""
        return frame_of(self.rows(), backend)

    def csv(self) -> str:
        """Return `rows` as the text of a CSV file."""
        return to_csv(self.scores)

    def __repr__(self) -> str:
        return repr(self.report)

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


@known_options
def evaluate(
    checkpoint: Folder,
    *,
    set: Assignments | None = None,
    split: str | None = None,
    fold: int | None = None,
    manifest: Folder | None = None,
    known_only: bool = False,
    runs: Folder | None = None,
) -> Evaluation:
    """Score a finished trial on another data set, split or manifest; classes match by name.

    The trial is named as for `predict`.

    >>> import audiocls
    >>> audiocls.evaluate("words:best", manifest="new.csv").frame()  # doctest: +SKIP
    """
    from audiocls.training.checkpoint import load_checkpoint
    from audiocls.training.evaluate import evaluate as evaluate_clips
    from audiocls.training.evaluation_request import evaluation_request

    named, cache = find_trial(checkpoint, existing_runs_folder(runs)), cache_folder()
    restored, root = load_checkpoint(named.path), known_root(named.path)
    overrides = library.overrides(assignments_of(set) or [])
    listed = None if manifest is None else Path(manifest)
    request = evaluation_request(restored, cache, overrides, split, fold, listed, root)
    evaluated = evaluate_clips(restored, request, cache, known_only)
    return Evaluation(evaluated, request.name, (*named.notes, *restored.notes, *request.notes))


@dataclass(frozen=True, repr=False)
class Predictions:
    """Labels of audio files, each made when it is first iterated; `errors` are known at the end.

    >>> import audiocls
    >>> for each in audiocls.predict("runs/dropout/trials/a1b2c3d4e5f6", "clips"):  # doctest: +SKIP
    ...     print(each.file, each.label, each.probability)
    """

    checkpoint: "Predictor"
    files: tuple[Path, ...]
    selection: LabelSelection
    """Which labels are shown."""
    errors: list[str] = field(default_factory=list)
    """Files that could not be read, and why."""
    notes: tuple[str, ...] = ()
    """Caveats, such as that the code of an own part has changed since."""
    _made: "list[Prediction]" = field(default_factory=list)

    @cached_property
    def _coming(self) -> "Iterator[Prediction]":
        from audiocls.training.predict import predict_files

        windows = self.selection.by_window
        return predict_files(self.checkpoint, self.files, windows, self.errors.append)

    def __iter__(self) -> "Iterator[Prediction]":
        yield from self._made
        for prediction in self._coming:
            self._made.append(prediction)
            yield prediction

    def rows(self) -> Rows:
        """Return a dict for each label shown: file, start_s, end_s, label, probability."""
        return [
            {
                "file": str(prediction.file),
                "start_s": span.start_s,
                "end_s": span.end_s,
                "label": label,
                "probability": probability,
            }
            for prediction in self
            for span in self.selection.spans(prediction)
            for label, probability in self.selection.labels(span)
        ]

    def frame(self, backend: str | None = None) -> Any:
        """Return `rows` as a frame of pandas or polars, whichever is there."""
        return frame_of(self.rows(), backend)

    def lines(self, format: str = "text") -> Iterator[str]:
        """Yield lines of text, csv or json, each as soon as it is known."""
        return FORMATS[choice(format, FORMATS, "format")](self, self.selection)

    def __repr__(self) -> str:
        return "\n".join([*self.lines(), *self.errors])


@known_options
def predict(
    checkpoint: Folder,
    files: Folder | Iterable[Folder],
    *,
    top: int | None = None,
    threshold: float | None = None,
    windows: bool = False,
    runs: Folder | None = None,
) -> Predictions:
    """Return the labels of audio files, or of all in folders, by a finished trial.

    The trial is `STUDY:best` (by validation clips), `STUDY:ARM` (the best of that arm), `STUDY:ID`
    or the beginning of an id, its folder or its weights; or a file that `export` wrote as ONNX, for
    which torch is not needed. `top` labels of each, or those of a probability from `threshold` on
    where a clip may have several; `windows` shows each window of a long file. Files that cannot be
    read raise nothing: `errors` of the result lists them.

    >>> import audiocls
    >>> audiocls.predict("words:best", "clips", top=3).frame()  # doctest: +SKIP
    """
    load = _loader(Path(checkpoint))  # names a missing extra before a trial is looked for
    named = find_trial(checkpoint, existing_runs_folder(runs))
    predictor = load(named.path)
    paths = [files] if isinstance(files, str | Path) else files
    selection = label_selection(predictor, top, threshold, windows)
    notes = (*named.notes, *predictor.notes)
    return Predictions(predictor, tuple(map(Path, paths)), selection, notes=notes)


def _loader(path: Path) -> "Callable[[Path], Predictor]":
    """Return what reads an exported file, or a checkpoint."""
    if path.suffix == ".onnx":
        from audiocls.training.onnx_model import load_onnx

        return load_onnx
    from audiocls.training.checkpoint import load_checkpoint

    return load_checkpoint
