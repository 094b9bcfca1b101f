"""The ASGI application: addresses, and what keeps other people's pages away from them.

It answers GET alone, and only what is asked of this machine by one of its own names: a page of the
web whose name is made to point here (DNS rebinding) is refused. Only names of studies and ids of
their trials are looked up; no part of an address becomes a path.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from audiocls.errors import AudioclsError
from audiocls.live import pages
from audiocls.live.clips import Clips
from audiocls.live.studies import Studies
from audiocls.live.trial import trial_view
from audiocls.live.watched import Watched
from audiocls.live.whole_report import WholeReports

HOSTS = ["127.0.0.1", "localhost", "[::1]"]
"""Names by which a browser on this machine, or at the other end of a tunnel, may ask."""
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
PAGE_POLICY = (
    POLICY + "style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
)
PAGE_POLICY += "media-src data:"
WITHIN = POLICY + "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
WITHIN += "media-src data:"
"""Of a report, which holds all that it needs."""
HEADERS = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass
class LivePages:
    """The answers to requests, each computed in a thread of the server's pool."""

    studies: Studies
    clips: Clips = field(default_factory=Clips)
    reports: WholeReports = field(default_factory=WholeReports)

    def index(self, request: Request) -> Response:
        runs = self.studies.runs
        return _page(request, pages.studies_page(str(runs), list(self.studies.listed())))

    def study(self, request: Request) -> Response:
        return _page(request, pages.study_page(self._watched(request).look()))

    def trial(self, request: Request) -> Response:
        view = self._watched(request).look()
        trial = trial_view(view, request.path_params["trial"])
        if trial is None:
            raise HTTPException(404, f"The study {view.name} has no trial of that id.")
        return _page(request, pages.trial_page(view, trial))

    def clips_of(self, request: Request) -> Response:
        view = self._watched(request).look()
        blocks, note = self.clips.of(view)
        return _page(request, pages.blocks_page(view.name, "Clips to listen to", blocks, note))

    def report(self, request: Request) -> Response:
        view = self._watched(request).look()
        text = self.reports.of(view)
        if text is None:
            return _page(request, pages.blocks_page(view.name, "The whole report", None))
        return _page(request, text, policy=WITHIN)

    def style(self, request: Request) -> Response:
        return _page(request, pages.stylesheet(), "text/css")

    def script(self, request: Request) -> Response:
        return _page(request, pages.script(), "text/javascript")

    def _watched(self, request: Request) -> Watched:
        watched = self.studies.named(request.path_params["study"])
        if watched is None:
            raise HTTPException(404, f"There is no study of that name in {self.studies.runs}.")
        return watched


def application(runs: Path) -> Starlette:
    """Return the application that shows the studies in a folder."""
    live = LivePages(Studies(runs))
    routes: dict[str, Callable[[Request], Response]] = {
        "/": live.index,
        "/studies/{study}": live.study,
        "/studies/{study}/clips": live.clips_of,
        "/studies/{study}/report": live.report,
        "/studies/{study}/trials/{trial}": live.trial,
        "/style.css": live.style,
        "/live.js": live.script,
    }
    return Starlette(
        routes=[Route(path, answer, methods=["GET"]) for path, answer in routes.items()],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False),
            Middleware(GZipMiddleware, minimum_size=2000),
        ],
        exception_handlers={HTTPException: _refused, AudioclsError: _unreadable},
    )


def _page(
    request: Request,
    text: str,
    kind: str = "text/html",
    policy: str = PAGE_POLICY,
    status: int = 200,
) -> Response:
    """Return the text, or nothing where the browser has it already."""
    content = text.encode()
    etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "Content-Security-Policy": policy, "ETag": etag}
    if status == 200 and request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, status, headers, media_type=kind)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is registered for these"
    titles = {404: "Nothing is here", 405: "This page can only be read"}
    text = pages.problem_page(titles.get(error.status_code, "Refused"), error.detail)
    return _page(request, text, status=error.status_code)


def _unreadable(request: Request, error: Exception) -> Response:
    text = pages.problem_page("This cannot be read", str(error))
    return _page(request, text, status=500)
