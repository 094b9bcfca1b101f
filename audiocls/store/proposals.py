"""What a search has in place of arms and cells: its configuration, and each trial proposed."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from audiocls.store.stored_file import require_fields

BUILT_IN = "built-in "
"""What the place of a sweep begins with that has no file of the user's."""


@dataclass(frozen=True)
class SearchPlan:
    """What is searched, and what its trials run. Unlike cells, its trials are not known yet."""

    sweep: dict[str, Any]
    """W&B's configuration, verbatim."""
    runs: str
    """What its trials run, in words: `recipe NAME`, or the command as written. Two launches of one
    study must agree on it."""
    folder: str
    """The directory in which its command is run, where the command is not ours."""
    file: str = ""
    """Where the sweep was read from: its path, or `built-in NAME`. Two launches of one study must
    agree on it. Unknown for studies of early versions and for sweeps of a server."""
    code: str = ""
    """Digest of the program's files; the study is that of its trials with this code. Empty for our
    own trials, and where no file is known."""


@dataclass(frozen=True)
class Proposal:
    """One trial of a search: its id and the parameters proposed."""

    id: str
    parameters: dict[str, Any]
    code: str = ""
    """Digest of the program's files when it was proposed; see `SearchPlan.code`."""

    def to_line(self) -> str:
        """Return it as a line of `proposals.jsonl`."""
        known = {name: value for name, value in asdict(self).items() if name != "code" or value}
        return json.dumps(known) + "\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Proposal":
        """Rebuild it from a line of `proposals.jsonl`; raises `ValueError` or `TypeError`."""
        require_fields(cls, line)
        return cls(**json.loads(line))
