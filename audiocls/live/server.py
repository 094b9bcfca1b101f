"""`LiveServer`: the live page on a port of this machine alone, on a thread until it is stopped."""

import errno
import socket
import threading
from contextlib import suppress
from pathlib import Path

import uvicorn

from audiocls.errors import UsageError
from audiocls.live.app import application

HOST = "127.0.0.1"
STOP_S = 5.0


class LiveServer:
    """Serves the studies in a folder; raises `UsageError` where the port cannot be had."""

    def __init__(self, runs: Path, port: int):
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        """The port that it has, also where any free one was asked for."""
        config = uvicorn.Config(
            application(runs.absolute()),
            lifespan="off",
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self.port}/"

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def wait(self) -> None:
        """Return when it was stopped, from another thread; Ctrl-C stops it."""
        with suppress(KeyboardInterrupt):
            while self._thread.is_alive():
                self._thread.join(0.5)
        self.stop()

    def stop(self) -> None:
        """Stop it, and give the port back."""
        self._server.should_exit = True
        self._thread.join(STOP_S)
        self._socket.close()


def _bound(port: int) -> socket.socket:
    """Return a socket on a port of this machine alone; 0 is any that is free."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
        made.listen(64)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            why = f"port {port} is taken on this machine, by another `audiocls serve`, maybe"
        else:
            why = f"port {port} cannot be had: {error.strerror}"
        raise UsageError(f"{why}; choose another with --port, such as --port {port + 1}") from error
    return made
