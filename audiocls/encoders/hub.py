"""The one place that downloads encoders, by huggingface_hub, and only what is not here yet."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audiocls.encoders.source import Source, convert, require_encoder
from audiocls.errors import DataError

PATTERNS = ("*.json", "*.safetensors", "README.md")
CODE = "*.py"
TIMEOUT_S = 10.0
"""In which the Hub must answer before a launch."""


def folder_of(source: Source, with_code: bool = False) -> Path:
    """Return the folder with an encoder's files, downloaded now unless they are here.

    Nothing asks the network where they are here. With `with_code` its Python files are fetched too.

    Raises:
        DataError: it is not here and cannot be downloaded, or holds no safetensors.
    """
    folder = source.folder()
    is_code_missing = with_code and folder is not None and not any(folder.glob(CODE))
    if folder is None or (source.is_on_hub and is_code_missing):
        folder = _downloaded(source, with_code)
    require_encoder(folder, source.name)
    return folder


def require_reachable(source: Source) -> None:
    """Raise `DataError` for an encoder that is neither here nor can be downloaded.

    The Hub is asked, once, for the names of its files; none is downloaded.
    """
    if not source.is_on_hub or source.folder() is not None:
        return
    if _is_offline():
        raise DataError(_absent(source, "HF_HUB_OFFLINE is set"))
    from huggingface_hub import HfApi

    with _reaching(source):
        hub = HfApi()
        known = hub.model_info(source.repository, revision=source.revision, timeout=TIMEOUT_S)
        if known.gated:
            hub.auth_check(source.repository)
    if not any(file.rfilename.endswith(".safetensors") for file in known.siblings or ()):
        raise DataError(convert(source.name, "its repository", "no file"))


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def _downloaded(source: Source, with_code: bool) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [*PATTERNS, CODE] if with_code else [*PATTERNS]
    with _reaching(source):
        return Path(
            snapshot_download(source.repository, revision=source.revision, allow_patterns=patterns)
        )


@contextmanager
def _reaching(source: Source) -> Iterator[None]:
    """Raise `DataError` for whatever a download fails at: not all its errors have a common kind."""
    try:
        yield
    except Exception as error:
        cause = error.__cause__ or error
        reason = str(cause).strip().partition("\n")[0]
        raise DataError(_absent(source, f"{type(cause).__name__}: {reason}")) from error


def _absent(source: Source, reason: str) -> str:
    include = " ".join(f"'{pattern}'" for pattern in PATTERNS)
    return (
        f"the encoder {source.name} is not here and cannot be downloaded ({reason}). Where there "
        f"is a network: hf download {source.repository} --revision {source.revision} --include "
        f"{include} --local-dir FOLDER; copy FOLDER here and name it as `model`"
    )
