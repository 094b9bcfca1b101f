"""The one place that downloads encoders, by huggingface_hub, and only what is not here yet."""

import os
from pathlib import Path

from audiocls.encoders.source import Source, require_encoder
from audiocls.errors import DataError

PATTERNS = ("*.json", "*.safetensors", "README.md")
CODE = "*.py"


def folder_of(source: Source, with_code: bool = False) -> Path:
    """Return the folder with an encoder's files, downloaded now unless they are here.

    Nothing asks the network where they are here. With `with_code` its Python files are fetched too.

    Raises:
        DataError: it is not here and cannot be downloaded, or holds no safetensors.
    """
    folder = source.folder()
    lacks_code = with_code and folder is not None and not any(folder.glob(CODE))
    if folder is None or (source.is_on_hub and lacks_code):
        folder = _downloaded(source, with_code)
    require_encoder(folder, source.name)
    return folder


def require_reachable(source: Source) -> None:
    """Raise `DataError` for an encoder that is not here where downloads are switched off."""
    if source.is_on_hub and source.folder() is None and _is_offline():
        raise DataError(_absent(source, "HF_HUB_OFFLINE is set"))


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def _downloaded(source: Source, with_code: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    patterns = [*PATTERNS, CODE] if with_code else [*PATTERNS]
    try:
        return Path(
            snapshot_download(source.repository, revision=source.revision, allow_patterns=patterns)
        )
    except (OSError, HfHubHTTPError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(_absent(source, reason)) from error


def _absent(source: Source, reason: str) -> str:
    include = " ".join(f"'{pattern}'" for pattern in PATTERNS)
    return (
        f"the encoder {source.name} is not here and cannot be downloaded ({reason}). Where there "
        f"is a network: hf download {source.repository} --revision {source.revision} --include "
        f"{include} --local-dir FOLDER; copy FOLDER here and name it as `model`"
    )
