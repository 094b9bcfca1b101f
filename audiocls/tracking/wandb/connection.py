"""Requests to a W&B server with the user's key; a failed one raises one of three errors.

They go through the client's transport, which knows keys, proxies and certificates. The client's
own classes for reading runs are not used: they make a folder for each run that they list.
"""

import contextlib
import threading
from collections.abc import Mapping
from typing import Any

import wandb
from wandb.errors import AuthenticationError
from wandb.errors import Error as WandbError
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from audiocls.tracking.sweep_server import PermissionDenied, ServerUnavailable, SweepNotFound

CALL_TIMEOUT_S = 30
"""Of one call, including the client's own retries."""
IN_ANSWER = "input:"
"""The beginning of the client's text for an error inside an answer of status 200."""


class Connection:
    """A connection that threads may share.

    It is opened at the first request, and again after W&B's own process has died.
    """

    def __init__(self, timeout_s: int = CALL_TIMEOUT_S):
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._api: wandb.Api | None = None

    def ask(self, operation: str, variables: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Return the data that an operation answers with; `what` names its subject in errors.

        Raises `ServerUnavailable`, `PermissionDenied` or `SweepNotFound`.
        """
        api = self._open()
        try:
            return api._service_api.execute_graphql(operation, variables, timeout=self._timeout_s)
        except WandbApiFailedError as error:
            raise _error_of(error, what, self.host, self._timeout_s) from error
        except Exception as error:
            # The client raises errors of many types where its own process has died.
            self._forget(api)
            raise ServerUnavailable(f"W&B's own process died ({type(error).__name__})") from error

    @property
    def host(self) -> str:
        return str(self._open().settings["base_url"])

    @property
    def app_url(self) -> str:
        """Return the address of the server's web pages, which ends in a slash."""
        return str(self._open()._service_api.app_url)

    @property
    def entity(self) -> str:
        """Return the entity whose projects are used where none is named."""
        api = self._open()
        return str(api.settings["entity"] or api.default_entity)

    def _open(self) -> wandb.Api:
        with self._lock:
            if self._api is None:
                self._api = _opened(self._timeout_s)
            return self._api

    def _forget(self, dead: wandb.Api) -> None:
        with self._lock:
            if self._api is dead:
                self._api = None
                with contextlib.suppress(ConnectionError):  # the service process has already exited
                    wandb.teardown()


def _opened(timeout_s: int) -> wandb.Api:
    """Open the client's connection, with the key checked by the server."""
    try:
        return wandb.Api(timeout=timeout_s)
    except AuthenticationError as error:
        if isinstance(error.__cause__, WandbApiFailedError) and _status(error.__cause__) is None:
            raise ServerUnavailable(f"{error}") from error
        raise PermissionDenied(f"{error}. Give another key with: wandb login --relogin") from error
    except WandbError as error:
        raise PermissionDenied(f"{str(error).rstrip('.')}. Give a key with: wandb login") from error


def _status(error: WandbApiFailedError) -> int | None:
    """Return the HTTP status, if the server has answered."""
    response = error.response
    return response.http_status if response is not None and response.http_status else None


def _error_of(error: WandbApiFailedError, what: str, host: str, timeout_s: int) -> Exception:
    status = _status(error)
    if error.response is None:
        return ServerUnavailable(f"no answer from {host} within {timeout_s} s")
    if status is None and str(error).startswith(IN_ANSWER):
        return PermissionDenied(
            f"{host} refuses {what}: {str(error).removeprefix(IN_ANSWER).strip()}"
        )
    if status is None:
        return ServerUnavailable(f"no answer from {host}: {str(error).strip()}")
    if status in (401, 403):
        return PermissionDenied(f"{host} refuses this key ({status}) for {what}")
    if status == 404:
        return SweepNotFound(f"{what}: the server at {host} does not know it")
    if status < 500 and status not in (408, 429):
        return PermissionDenied(f"{host} refuses {what}: {error}")
    return ServerUnavailable(f"{host} answers {status}")
