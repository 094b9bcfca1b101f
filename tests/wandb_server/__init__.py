"""A stand-in for W&B's server that the real client runs against, in tests."""

from wandb_server.records import Artifact, Run, Sweep, View
from wandb_server.server import Request, Server

__all__ = ["Artifact", "Request", "Run", "Server", "Sweep", "View"]
