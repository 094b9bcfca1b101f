"""The roots of the schema: who is asking, what the server can do, and its projects."""

import json
from collections.abc import Callable, Mapping

from wandb_server import agents, artifact_fields, artifacts, runs, small_types, sweeps, views
from wandb_server.document import parse
from wandb_server.graphql import Arguments, Filling, Resolver, edges
from wandb_server.records import Place
from wandb_server.state import Refused, State, place_of

VERSIONS = {"min_cli_version": "0.1.0", "max_cli_version": "9.9.9"}


def answer(
    text: str,
    variables: Mapping[str, object],
    state: State,
    miss: Callable[[str], None],
) -> object:
    """The data that a GraphQL document asks for."""
    document = parse(text)

    def refuse(place: str) -> None:
        miss(f"{document.name}: {place}")
        if "." not in place:
            raise Refused(400, f"{document.name}: this server has no field {place}")

    filling = Filling(document, variables, refuse)
    return filling.fill(_roots(state), document.selection)


def _roots(state: State) -> dict[str, Resolver]:
    def project(arguments: Arguments) -> object:
        place = place_of(arguments, "name")
        return _fields_of(place, state) if place in state.projects else None

    def projects(arguments: Arguments) -> object:
        here = [place for place in state.projects if place[0] == place_of(arguments)[0]]
        return edges([_fields_of(place, state) for place in here], arguments)

    def make(arguments: Arguments) -> object:
        place = state.enter(place_of(arguments["input"], "name"))
        fields = _fields_of(place, state)
        return {"model": fields, "project": fields, "inserted": True}

    return {
        "viewer": lambda _: small_types.user(),
        "serverInfo": lambda _: {
            "features": [],
            "cliVersionInfo": json.dumps(VERSIONS),
            "latestLocalVersionInfo": None,
        },
        "entity": lambda arguments: small_types.entity_(arguments["name"]),
        "organization": lambda _: None,
        "project": project,
        "model": project,
        "models": projects,
        "upsertModel": make,
        **runs.mutations(state),
        **sweeps.mutations(state),
        **agents.mutations(state),
        **artifacts.mutations(state),
        **artifact_fields.queries(state),
        **views.mutations(state),
        **views.queries(state),
    }


def _fields_of(place: Place, state: State) -> dict[str, object]:
    """A project in W&B's schema."""
    return {
        **small_types.project(place),
        "createdAt": "2026-01-01T00:00:00Z",
        "description": "",
        "access": "PRIVATE",
        "views": "{}",
        "isBenchmark": False,
        "readOnly": False,
        "user": small_types.user(),
        **runs.fields_of_project(place, state),
        **sweeps.fields_of_project(place, state),
        **artifact_fields.fields_of_project(place, state),
        **views.fields_of_project(place, state),
    }
