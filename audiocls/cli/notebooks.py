"""`audiocls report NAME --format ipynb`: a notebook that read the study, figures inside."""

from pathlib import Path

from audiocls import library
from audiocls.atomic import write_text
from audiocls.notebook import executed, require_notebooks
from audiocls.store import StudyFolder

NOTEBOOK = "compare"


def write_notebook(folder: StudyFolder, out: Path | None = None) -> Path:
    """Execute the notebook for the study; kept in its folder unless told otherwise."""
    require_notebooks()
    path = out or folder.path / f"{NOTEBOOK}.ipynb"
    parameters = {"study": folder.name, "runs": str(folder.path.parent)}
    write_text(path, executed(library.notebook(NOTEBOOK), parameters))
    return path
