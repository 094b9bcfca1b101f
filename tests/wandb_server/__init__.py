"""A stand-in for W&B's server that the real client runs against, in tests."""

from wandb_server.server import Request, Server
from wandb_server.state import Artifact, Run, Sweep, View

__all__ = ["Artifact", "Request", "Run", "Server", "Sweep", "View"]
