"""How and where an answer is written, as it is asked for; nothing is imported that writes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audiocls.errors import UsageError

if TYPE_CHECKING:
    from audiocls.render.document import Document

FORMATS = ("terminal", "json", "csv", "md", "html", "tex", "ipynb", "wandb")
OF_TRIALS = ("csv", "wandb")
"""Formats that only an answer from launched trials has."""
KEPT = {"html": ".html", "ipynb": ".ipynb", "wandb": ".wandb.json"}
"""Formats that are written to a file even where none is named, and how its name ends."""


@dataclass(frozen=True)
class Output:
    """How and where a document is to be written."""

    format: str = "terminal"
    file: Path | None = None
    entity: str | None = None
    """Of W&B, like `project`: where its Report is saved."""
    project: str | None = None

    @property
    def has_pages(self) -> bool:
        """Whether learning curves are shown, and so histories are needed."""
        return self.format in ("html", "wandb")


def checked(
    output: Output, is_json: bool = False, allowed: Sequence[str] = FORMATS, what: str = ""
) -> Output:
    """Return the output; `is_json` is `--json`, `what` names an answer that has not all formats.

    Raises `UsageError` for options that contradict one another or would have no effect.
    """
    format_ = output.format
    if is_json and format_ not in ("terminal", "json"):
        raise UsageError(f"--json: got --format {format_} as well; keep one of them")
    if output.file is not None and (is_json or format_ == "terminal"):
        got = "--json" if is_json else "--format terminal"
        raise UsageError(
            f"--out: {got} prints; redirect it (> {output.file}), or name another --format"
        )
    options = {"--entity": output.entity, "--project": output.project}
    given = [option for option, value in options.items() if value is not None]
    if given and format_ != "wandb":
        raise UsageError(f"{', '.join(given)}: for --format wandb only; got {format_}")
    if format_ not in allowed:
        of = f" for {what}" if what else ""
        raise UsageError(f"--format: got {format_!r}; allowed{of}: {', '.join(allowed)}")
    if format_ == "wandb":
        from audiocls.render.formats.wandb import require_workspaces

        require_workspaces()
    return Output("json") if is_json else output


def show(document: "Document", summary: Sequence[str] = ()) -> None:
    """Print the document on stdout, without the commands that the printed `summary` ends with."""
    from audiocls.render.document import without_commands_of
    from audiocls.render.formats.terminal import show as print_document

    print_document(without_commands_of(document, summary))
