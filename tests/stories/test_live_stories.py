"""The live page in a real browser: a study that is launched appears, moves and ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.browser import Tab, browser_program, open_tab
from helpers.processes import Home, wait

import audiocls

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser_program() is None, reason="no Chromium is on this machine"),
]
VERDICTS = "document.querySelectorAll('.no_evidence, .better, .worse, .equivalent').length"
DONE = "document.querySelectorAll('a.done').length"
NUM_TRIALS = 12


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    with open_tab(tmp_path / "profile") as opened:
        yield opened


@pytest.fixture
def shown(home: Home) -> Iterator[audiocls.LivePage]:
    (home.path / "runs").mkdir()
    page = audiocls.serve(runs=home.path / "runs", port=0)
    yield page
    page.stop()


def test_a_study_appears_moves_and_ends(home: Home, shown: audiocls.LivePage, tab: Tab):
    tab.open(shown.address)
    assert "None yet" in tab.run("document.body.innerText")
    home.change(blocks="{seed: [0, 1, 2, 3], fold: [1]}")
    slow = ("--workers", "1", "--set", "train.epochs=150")  # else it could be over at first sight
    launched = home.start("sweep", "launch", "tiny.yaml", "--wandb", "disabled", *slow)
    try:
        watch_to_its_end(tab)
    finally:
        wait(launched)


def watch_to_its_end(tab: Tab) -> None:
    """Open a study's page as soon as it appears, by the keyboard, and look until it has ended."""
    tab.wait_for("document.querySelector('main a')?.innerText === 'tiny'", 120)
    focus(tab, "tiny")
    tab.press("Enter")
    tab.wait_for("location.pathname === '/studies/tiny' && document.readyState === 'complete'")

    tab.wait_for(f"{DONE} >= 1", 120)
    assert tab.run(VERDICTS) == 0
    tab.wait_for("document.body.innerText.includes('Verdicts are due when all 4 pairs')", 60)
    last = tab.run("[...document.querySelectorAll('.cells a')].at(-1).id")
    tab.run(f"document.getElementById('{last}').focus()")
    done = tab.run(DONE)
    tab.wait_for(f"{DONE} > {done}", 120)
    assert tab.run("document.activeElement.id") == last

    tab.wait_for(f"{VERDICTS} > 0", 240)
    assert tab.run(DONE) == NUM_TRIALS
    assert tab.run("document.title").startswith(f"{NUM_TRIALS}/{NUM_TRIALS} · tiny")
    assert tab.run("document.activeElement.id") == last
    tab.wait_for(
        "document.getElementById('announcement').innerText.includes('All trials have ended')", 60
    )
    assert tab.errors == []


def focus(tab: Tab, name: str) -> None:
    """Go to a link by the keyboard alone."""
    for _ in range(20):
        tab.press("Tab")
        if tab.run("document.activeElement.innerText") == name:
            return
    pytest.fail(f"no Tab leads to {name}")


def test_any_window_light_and_dark_and_a_screen_reader(
    home: Home, shown: audiocls.LivePage, tab: Tab
):
    home.launch("--workers", "1")
    trial = f"studies/tiny/trials/{home.trials()[0].name}"
    for path in ("", "studies/tiny", "studies/tiny/clips", trial):
        grounds = set()
        for width, scheme in ((390, "light"), (390, "dark"), (1200, "light")):
            tab.resize(width, scheme=scheme)
            tab.open(shown.address + path)
            assert tab.run("document.documentElement.scrollWidth") <= width, path
            grounds.add(tab.run("getComputedStyle(document.body).backgroundColor"))
        assert len(grounds) == 2
    tab.open(f"{shown.address}studies/tiny")
    tab.wait_for("!!document.querySelector('.headline')")
    names = tab.names()
    roles = {role for role, _ in names}
    assert {"main", "navigation", "status", "heading", "columnheader", "rowheader"} <= roles
    assert ("navigation", "Studies") in names
    assert ("image", "6 done") in names
    assert all(name for role, name in names if role in ("link", "button", "image", "region"))
    assert tab.errors == []


def test_updates_can_be_paused_and_the_server_may_go(shown: audiocls.LivePage, tab: Tab):
    """Of a page that nobody answers any more the reader is told, and it goes on trying."""
    tab.open(shown.address)
    tab.run("document.getElementById('main').dataset.every = '0.2'")
    tab.run("document.getElementById('pause').focus()")
    tab.press(" ")
    assert tab.run("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    tab.press(" ")
    shown.stop()
    tab.wait_for("document.getElementById('connection').innerText.includes('trying again')", 60)
