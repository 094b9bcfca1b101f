"""The door to nbformat and nbclient: a notebook with its outputs, for other parameters."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiocls.errors import AudioclsError, UsageError
from audiocls.extras import EXTRAS

if TYPE_CHECKING:
    from nbformat import NotebookNode

PARAMETERS = "parameters"
"""Tag of the cell whose values are replaced, as papermill has it."""
PACKAGES = EXTRAS["notebooks"]
LONGEST_CELL_S = 600
ONLY_ERRORS = ("--log-level=ERROR",)
"""Else a kernel warns on stderr that messages go over the machine's own loopback."""


def require_notebooks() -> None:
    """Raise `UsageError` where the extra is not installed; imports nothing, so call it early."""
    absent = [name for name in PACKAGES if find_spec(name) is None]
    if absent:
        raise UsageError(
            f"{' and '.join(absent)} not installed, and --format ipynb needs all of "
            f"{', '.join(PACKAGES)}: run `pip install 'audiocls[notebooks]'`, or choose another "
            "format"
        )


def executed(notebook: Path, parameters: Mapping[str, Any]) -> str:
    """Return the notebook's text with `parameters` put in and every cell run in the working folder.

    Raises `AudioclsError` naming the cell that failed and its first line.
    """
    require_notebooks()
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    document = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    _put_in(document, parameters, notebook)
    client = NotebookClient(
        document, timeout=LONGEST_CELL_S, kernel_name="python3", extra_arguments=[*ONLY_ERRORS]
    )
    try:
        client.execute()
    except (CellExecutionError, DeadKernelError, TimeoutError) as error:
        raise AudioclsError(f"{notebook.name}: {_fault(document, error)}") from error
    return str(nbformat.writes(document))  # type: ignore[no-untyped-call]


def _put_in(document: "NotebookNode", parameters: Mapping[str, Any], notebook: Path) -> None:
    """Insert a cell after that of the defaults, so that both can be read."""
    from nbformat.v4 import new_code_cell

    tags = [cell.metadata.get("tags", []) for cell in document.cells]
    positions = [index for index, of_cell in enumerate(tags) if PARAMETERS in of_cell]
    if not positions:
        raise UsageError(f"{notebook}: no cell has the tag {PARAMETERS!r}; tag the one of defaults")
    lines = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    metadata = {"tags": [f"injected-{PARAMETERS}"]}
    cell = new_code_cell(lines, metadata=metadata)  # type: ignore[no-untyped-call]
    document.cells.insert(positions[0] + 1, cell)


def _fault(document: "NotebookNode", error: Exception) -> str:
    """Return which cell failed, and the last line of the error."""
    for number, cell in enumerate(document.cells, start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                first = cell.source.splitlines()[0]
                return f"cell {number} ({first}): {output.ename}: {output.evalue}"
    return str(error)
