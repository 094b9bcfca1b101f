"""Draws docs/live.png: launches a study and photographs its page: `python docs/live_picture.py`."""

import subprocess
import sys
import tempfile
from pathlib import Path

import audiocls

ROOT = Path(__file__).parent.parent
WIDTH, HEIGHT = 980, 1300
NUM_DONE = 18
"""Trials of 40 after which the picture is taken."""


def photograph(file: Path) -> None:
    """Write the page of the built-in study `dropout` to `file`, a PNG, while it runs."""
    sys.path.insert(0, str(ROOT / "tests"))
    from helpers.browser import open_tab

    with tempfile.TemporaryDirectory() as folder:
        runs, profile = Path(folder, "runs"), Path(folder, "profile")
        runs.mkdir()
        words = [sys.executable, "-m", "audiocls", "sweep", "launch", "dropout"]
        words += ["--wandb", "disabled", "--workers", "1", "--runs", str(runs)]
        launched = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        page = audiocls.serve(runs=runs, port=0)
        try:
            with open_tab(profile) as tab:
                tab.resize(WIDTH, HEIGHT)
                tab.open(page.address)
                tab.wait_for("!!document.querySelector('main a')", 120)
                tab.open(f"{page.address}studies/dropout")
                tab.wait_for(f"document.querySelectorAll('a.done').length >= {NUM_DONE}", 1800)
                tab.picture(file)
        finally:
            page.stop()
            launched.terminate()
            launched.wait()


if __name__ == "__main__":
    photograph(ROOT / "docs" / "live.png")
