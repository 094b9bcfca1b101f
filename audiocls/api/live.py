"""`serve`: the studies of a folder in a browser, as they run."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from audiocls import extras
from audiocls.api.arguments import Folder, existing_runs_folder, known_options
from audiocls.api.display import display_of
from audiocls.errors import UsageError
from audiocls.store import StudyFolder

if TYPE_CHECKING:
    from audiocls.live.server import LiveServer

PORT = 8642


class LivePage:
    """A page that shows studies as they run, on this machine alone, until it is stopped.

    >>> import audiocls
    >>> page = audiocls.serve(runs="runs")  # doctest: +SKIP
    >>> page.address  # doctest: +SKIP
    'http://127.0.0.1:8642/'
    >>> page.stop()  # doctest: +SKIP
    """

    def __init__(self, server: "LiveServer", runs: Path):
        self._server = server
        self.runs = runs
        """The folder of the studies that it shows."""

    @property
    def port(self) -> int:
        """The port that it has."""
        return self._server.port

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        return self._server.address

    def wait(self) -> None:
        """Return when it was stopped, by Ctrl-C or from another thread."""
        self._server.wait()

    def stop(self) -> None:
        """Stop it, and give the port back."""
        self._server.stop()

    def __repr__(self) -> str:
        return f"LivePage({self.address!r})"

    def _repr_html_(self) -> str:
        return f'<a href="{self.address}">{escape(str(self.runs))} at {self.address}</a>'


def watch_report(folders: Sequence[StudyFolder], out: Folder | None) -> None:
    """Rewrite a study's page until it has ended; raises `UsageError` for several studies."""
    if len(folders) > 1:
        raise UsageError(f"watch: got {len(folders)} studies; one is watched at a time")
    from audiocls.live.rewriting import rewrite

    file = Path(out) if out is not None else folders[0].path / "report.html"
    display_of(True).note(f"{file} is rewritten while the study runs; Ctrl-C ends that alone")
    rewrite(folders[0], file)


@known_options
def serve(*, port: int = PORT, runs: Folder | None = None) -> LivePage:
    """Show the studies in `runs` in a browser on this machine, read-only, as they run.

    Returns at once; the page is there until this process ends or `stop()` is called. `port=0` is
    any that is free. Needs `audiocls[serve]`. Raises `UsageError` for a port that is taken, and
    where there is no folder of studies.

    >>> import audiocls
    >>> audiocls.serve().wait()  # doctest: +SKIP
    """
    extras.require("serve", "the live page")
    folder = existing_runs_folder(runs)
    if not folder.is_dir():
        raise UsageError(
            f"runs: got {folder}, which is no folder; start where the studies are kept, or name "
            "their folder with --runs DIR. One is made by the first `audiocls sweep launch`"
        )
    if not 0 <= port <= 65535:
        raise UsageError(f"port: got {port}; allowed: 0 to 65535, and 0 for any that is free")
    from audiocls.live.server import LiveServer

    return LivePage(LiveServer(folder, port), folder)
