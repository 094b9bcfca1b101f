"""Takes pictures of a report in a browser: `python docs/page.py runs/dropout`.

They are docs/report.png, on a desk, and docs/report-phone.png. Needs `chromium` on the path, and no
network.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import audiocls

PICTURES = {"report.png": (1000, 1210), "report-phone.png": (390, 1300)}
"""Name → pixels: the first screen, down to the verdicts. Chromium has no narrower windows."""


def photograph(study: Path, folder: Path) -> None:
    """Write the first screens of the report of `study` as PNG files to `folder`."""
    report = audiocls.Study(study).compare().report
    with tempfile.TemporaryDirectory() as temporary:
        page = Path(temporary, "report.html")
        report.save(page)
        for name, (width, height) in PICTURES.items():
            window = [f"--window-size={width},{height}", f"--user-data-dir={temporary}/profile"]
            shot = [
                "--headless",
                "--no-sandbox",
                "--hide-scrollbars",
                f"--screenshot={folder / name}",
            ]
            subprocess.run(["chromium", *shot, *window, page.as_uri()], check=True)


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(__file__).parent.resolve())
