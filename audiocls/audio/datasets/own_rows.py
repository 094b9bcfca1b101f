"""Lists the clips of somebody's own data set: `python -m audiocls.audio.datasets.own_rows OUT`.

Reads its options as JSON from standard input, and writes its rows, or what went wrong, to OUT as
JSON. What the user's code prints goes where a process's output goes.
"""

import json
import sys
from pathlib import Path
from typing import Any

from audiocls.audio.datasets.own import OwnData
from audiocls.errors import ConfigError
from audiocls.parts import KEPT
from audiocls.parts.loading import last_line


def rows_of(data: OwnData) -> dict[str, Any]:
    """Return the rows that the callable yields, or the fault of a callable that fails."""
    try:
        part = data.load()
        arguments = data.arguments(part)
        kept = {key: value for key, value in arguments.items() if value is not None}
        return {"rows": [_plain(row) for row in part(**kept)]}
    except ConfigError as error:
        return {"fault": "; ".join(error.faults)}
    except Exception as error:
        return {"fault": f"listing its clips failed: {last_line(error)}"}


def _plain(row: Any) -> Any:
    """Return a row as JSON has it; paths are texts."""
    if not isinstance(row, dict):
        return row
    return {str(key): _value(value) for key, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(each) for each in value]
    return value.item() if hasattr(value, "item") else value


def main() -> None:
    """Write the rows, or the fault."""
    data = OwnData.model_validate_json(sys.stdin.read(), context=KEPT)
    Path(sys.argv[1]).write_text(json.dumps(rows_of(data), default=str), encoding="utf-8")


if __name__ == "__main__":
    main()
