"""Takes the picture of a report in a browser, docs/report.png: `python docs/page.py runs/dropout`.

Needs `chromium` on the path, and no network.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import audiocls

WIDTH, HEIGHT = 1000, 1210
"""Pixels: the first screen, down to the verdicts."""


def photograph(study: Path, picture: Path) -> None:
    """Write the first screen of the report of `study` to `picture`, a PNG."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        audiocls.Study(study).compare().report.save(page)
        window = [f"--window-size={WIDTH},{HEIGHT}", f"--user-data-dir={folder}/profile"]
        shot = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--screenshot={picture}"]
        subprocess.run(["chromium", *shot, *window, page.as_uri()], check=True)


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(__file__).with_name("report.png").resolve())
