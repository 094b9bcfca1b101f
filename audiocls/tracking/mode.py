"""The W&B mode that holds where the user chose none."""

import netrc
from collections.abc import Mapping
from pathlib import Path
from typing import cast, get_args

from audiocls.errors import UsageError
from audiocls.tracking import WandbMode

DEFAULT_HOST = "api.wandb.ai"


def default_mode(environment: Mapping[str, str]) -> WandbMode:
    """Return `WANDB_MODE` if set, else online where a key is configured, else offline.

    Raises `UsageError` for a `WANDB_MODE` that W&B does not know.

    >>> default_mode({"WANDB_API_KEY": "x" * 40})
    'online'
    """
    chosen = environment.get("WANDB_MODE")
    if chosen:
        if chosen not in get_args(WandbMode):
            allowed = ", ".join(get_args(WandbMode))
            raise UsageError(f"WANDB_MODE: got {chosen!r}; allowed: {allowed}")
        return cast(WandbMode, chosen)
    return "online" if has_key(environment) else "offline"


def has_key(environment: Mapping[str, str]) -> bool:
    """Whether a W&B key is in the environment or in the user's netrc file."""
    if environment.get("WANDB_API_KEY"):
        return True
    host = environment.get("WANDB_BASE_URL", DEFAULT_HOST).split("//")[-1].split("/")[0]
    file = Path(environment.get("NETRC", Path.home() / ".netrc"))
    try:
        return netrc.netrc(str(file)).authenticators(host.split(":")[0]) is not None
    except (OSError, netrc.NetrcParseError):
        return False
