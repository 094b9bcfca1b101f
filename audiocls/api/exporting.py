"""A trial as one file that needs no audiocls, with what its user has to know beside it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls.api.arguments import Folder, existing_runs_folder, known_options
from audiocls.atomic import write_bytes, write_text
from audiocls.render.build.model_card import model_card
from audiocls.render.build.usage_snippet import usage_snippet
from audiocls.render.formats.markdown import to_markdown
from audiocls.store import TrialFolder
from audiocls.studies.named_trials import find_trial


@dataclass(frozen=True)
class Exported:
    """A file that needs no audiocls, checked to give the checkpoint's own logits.

    >>> import audiocls
    >>> audiocls.export("words:best", "net.onnx").max_difference  # doctest: +SKIP
    4e-06
    """

    file: Path
    num_bytes: int
    input: str
    """Shape and meaning of its input."""
    metadata: dict[str, Any]
    """Labels, sample rate and more, which the file holds too."""
    max_difference: float
    """Of its logits from the checkpoint's."""
    notes: tuple[str, ...] = ()
    """Caveats, such as that the code of an own part has changed since."""
    beside: tuple[Path, ...] = ()
    """What else was written: the metadata, a program of ten lines, a model card."""
    snippet: str = ""
    """That program; empty for a network without its front end."""


@known_options
def export(
    checkpoint: Folder,
    out: Folder,
    *,
    format: str = "onnx",
    front_end: bool = True,
    runs: Folder | None = None,
) -> Exported:
    """Write a finished trial to one file, as `onnx` or `torchscript`, and check its logits.

    With `front_end` its input is waveforms of any length, else features. The trial is named as for
    `predict`. Beside `net.onnx` lie `net.onnx.json`, `net.onnx.py` and `net.onnx.md`.

    >>> import audiocls
    >>> print(audiocls.export("words:best", "net.onnx").snippet)  # doctest: +SKIP
    """
    from audiocls.training import export as exporting
    from audiocls.training.checkpoint import load_checkpoint

    named, file = find_trial(checkpoint, existing_runs_folder(runs)), Path(out)
    restored = load_checkpoint(named.path)
    content, difference = exporting.export(restored, format, front_end)
    write_bytes(file, content)
    known = exporting.metadata(restored, front_end)
    snippet = usage_snippet(file.name, format, known)
    trial = TrialFolder(named.path if named.path.is_dir() else named.path.parent)
    texts = {
        ".json": json.dumps({**known, "max_difference": difference}, indent=1) + "\n",
        ".py": snippet,
        ".md": to_markdown(model_card(file, trial, known)),
    }
    described = exporting.input_description(restored, front_end)
    notes, beside = (*named.notes, *restored.notes), tuple(_write_beside(file, texts))
    return Exported(file, len(content), described, known, difference, notes, beside, snippet)


def _write_beside(file: Path, texts: Mapping[str, str]) -> Iterator[Path]:
    """Write texts to files of the same name with an ending more; yield their paths."""
    for ending, text in texts.items():
        if text:
            write_text(beside := Path(f"{file}{ending}"), text)
            yield beside
