"""Draws a study's verdict table as the README shows it: `python docs/verdict.py runs/dropout`."""

import io
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from audiocls import console
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.build.stored import stored_ablation
from audiocls.render.formats.terminal import show
from audiocls.store import StudyFolder
from audiocls.studies.reports import load_report

WIDTH = 116
# Without the web fonts, which a reader's browser would have to fetch.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.S)


def draw(study: Path, picture: Path) -> None:
    """Write the table of `study` to `picture`, an SVG."""
    terminal = Console(
        record=True, width=WIDTH, force_terminal=True, highlight=False, file=io.StringIO()
    )
    console.stdout = lambda: terminal
    console.say = lambda text: terminal.print(text, markup=False)  # wrapped: a picture has an edge
    report = load_report(StudyFolder(study))
    show(stored_ablation(report, "terminal", ClipsRequest()).document)
    command = f"audiocls sweep launch {study.name}"
    terminal.save_svg(str(picture), title=command, code_format=FORMAT, unique_id="verdict")


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(__file__).with_name("verdict.svg"))
