"""What a run has logged: rows, lines and the summary, as they come in and as they are asked for."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from wandb_server.graphql import Arguments, edges
from wandb_server.records import Run, now


def stream(run: Run, sent: Mapping[str, Any]) -> dict[str, object]:
    """One message of the file stream of a run: rows, lines, the summary, the end."""
    run.heartbeat_at = now()
    for name, chunk in (sent.get("files") or {}).items():
        STREAMS[name](run, chunk.get("offset", 0), chunk["content"])
    if sent.get("preempting"):
        run.state = "preempting"
    if sent.get("complete"):
        run.exit_code = sent.get("exitcode", 0)
        run.state = _ended(run)
    return {"exitcode": run.exit_code, "limits": {}, "stopped": run.is_to_stop}


def _ended(run: Run) -> Any:
    if run.exit_code == 0:
        return "finished"
    if run.state == "preempting":
        return "preempted"
    return "killed" if run.is_to_stop else "failed"


def _rows(target: list[dict[str, Any]], offset: int, content: list[str]) -> None:
    target[offset : offset + len(content)] = [json.loads(line) for line in content]


def _output(run: Run, offset: int, content: list[str]) -> None:
    run.output += [""] * (offset + len(content) - len(run.output))
    run.output[offset : offset + len(content)] = content


def _summary(run: Run, _: int, content: list[str]) -> None:
    if content:
        run.summary = json.loads(content[-1])


def logged(run: Run) -> dict[str, object]:
    """The fields of a run that hold what it has logged."""
    return {
        "config": lambda _: json.dumps(run.wrapped_config),
        "summaryMetrics": lambda _: json.dumps(run.summary),
        "systemMetrics": lambda _: json.dumps(run.events[-1] if run.events else {}),
        "historyLineCount": len(run.history),
        "eventsLineCount": len(run.events),
        "logLineCount": len(run.output),
        "historyTail": lambda _: json.dumps([json.dumps(row) for row in run.history[-1:]]),
        "eventsTail": lambda _: json.dumps([json.dumps(row) for row in run.events[-1:]]),
        "historyKeys": lambda _: _keys(run),
        "history": lambda arguments: [json.dumps(row) for row in _page(run.history, arguments)],
        "events": lambda arguments: [json.dumps(row) for row in _page(run.events, arguments)],
        "sampledHistory": lambda arguments: [
            _sampled(run, json.loads(spec)) for spec in _as_list(arguments["specs"])
        ],
        "parquetHistory": lambda _: {"parquetUrls": [], "liveData": []},
        "logLines": lambda arguments: edges(_lines(run, arguments), arguments),
    }


def _as_list(value: Any) -> list[Any]:
    """GraphQL takes one value for a list of one; the agent's query relies on it."""
    return value if isinstance(value, list) else [value]


def _keys(run: Run) -> dict[str, object]:
    counts: dict[str, int] = {}
    for row in run.history:
        for name in row:
            counts[name] = counts.get(name, 0) + 1
    return {
        "lastStep": max((row.get("_step", -1) for row in run.history), default=-1),
        "sets": [],
        "keys": {
            name: {"typeCounts": [{"type": "number", "count": count}], "monotonic": False}
            for name, count in counts.items()
        },
    }


def _page(rows: list[dict[str, Any]], arguments: Arguments) -> list[dict[str, Any]]:
    """Rows of a range of steps if one is asked for, else a sample of all."""
    if "minStep" in arguments:
        low, high = int(arguments["minStep"]), int(arguments["maxStep"])
        return [row for row in rows if low <= row.get("_step", 0) < high]
    return _thinned(rows, int(arguments.get("samples") or 500))


def _sampled(run: Run, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = spec.get("keys")
    low, high = spec.get("minStep", 0), spec.get("maxStep", float("inf"))
    rows = [row for row in run.history if low <= row.get("_step", 0) <= high]
    if keys:
        rows = [{key: row[key] for key in keys} for row in rows if row.keys() >= set(keys)]
    return _thinned(rows, spec.get("samples") or 500)


def _thinned(rows: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    if len(rows) <= most:
        return rows
    return [rows[place * len(rows) // most] for place in range(most)]


def _lines(run: Run, arguments: Arguments) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = [
        {"number": number, "timestamp": None, "level": "info", "label": None, "line": line}
        for number, line in enumerate(run.output)
    ]
    return lines[-arguments["last"] :] if "last" in arguments else lines


Accept = Callable[[Run, int, list[str]], None]
STREAMS: Mapping[str, Accept] = {
    "wandb-history.jsonl": lambda run, *rest: _rows(run.history, *rest),
    "wandb-events.jsonl": lambda run, *rest: _rows(run.events, *rest),
    "wandb-summary.json": _summary,
    "output.log": _output,
}
