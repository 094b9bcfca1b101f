"""HTTP: one request in, one answer out, on a port that can be closed and opened again."""

import base64
import contextlib
import gzip
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse


@dataclass(frozen=True)
class Asked:
    """A request as far as anyone here cares."""

    method: str
    path: str
    body: bytes
    key: str
    """The API key that came with it, or nothing."""


Answer = tuple[int, bytes]
Serve = Callable[[Asked], Answer]


class Listener:
    """Serves from a thread of its own until it is closed."""

    def __init__(self, serve: Serve, port: int = 0):
        self._server = _Server(serve, port)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="wandb-server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening and cut every connection that is open."""
        self._server.shutdown()
        self._server.server_close()
        self._server.cut()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, serve: Serve, port: int):
        self.serve = serve
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle(self) -> None:
        """Clients that go away in the middle are no error of ours."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def answer(self) -> None:
        status, body = self.server.serve(self._asked())
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def _asked(self) -> Asked:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        path = unquote(urlparse(self.path).path)
        return Asked(self.command, path, body, _key_in(self.headers.get("Authorization", "")))

    def log_message(self, *_: object) -> None:
        """Nothing is written to standard error."""


def _key_in(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme == "Basic":
        return base64.b64decode(value).decode().partition(":")[2]
    return value
