"""Where the recordings of a study lay: beside its plan, and part of no identity."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from audiocls.atomic import write_text
from audiocls.audio.remote import is_url
from audiocls.store.trial import TrialFolder

FILE = "data_roots.json"


def remember_roots(study: Path, roots: Mapping[str, str | None]) -> None:
    """Keep the folders or URLs of a study's data sets, by the fingerprints of their clips.

    The latest counts: data may be moved between two launches.
    """
    given = {known: _lasting(root) for known, root in roots.items() if root}
    before = _read(study)
    if not given.items() <= before.items():
        write_text(study / FILE, json.dumps(before | given, indent=1) + "\n")


def _lasting(root: str) -> str:
    """Return a folder's absolute path, and a URL as it is."""
    return root if is_url(root) else str(Path(root).expanduser().absolute())


def root_of(study: Path, fingerprint: str) -> str | None:
    """Return where a study's data of that fingerprint lay when it was launched last, if known."""
    return _read(study).get(fingerprint)


def known_root(checkpoint: Path) -> str | None:
    """Return where the data of a finished trial lay, from its folder or its weights, if known."""
    trial = TrialFolder(checkpoint if checkpoint.is_dir() else checkpoint.parent)
    record = trial.record()
    return root_of(trial.path.parent.parent, record.provenance.data) if record else None


def _read(study: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        content = json.loads((study / FILE).read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return {str(known): str(root) for known, root in content.items()}
    return {}  # absent, or damaged: it has to be given again
