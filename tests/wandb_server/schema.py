"""The roots of the schema: who is asking, what the server can do, and its projects."""

import json
from collections.abc import Callable, Mapping

from wandb_server import agents, artifacts, runs, sweeps, views
from wandb_server.graphql import Arguments, Filling, Resolver, edges, parse
from wandb_server.state import ENTITY, USER, Place, Refused, State, key_of, place_of

VERSIONS = {"min_cli_version": "0.1.0", "max_cli_version": "9.9.9"}


def answer(
    text: str,
    variables: Mapping[str, object],
    state: State,
    url: str,
    miss: Callable[[str], None],
) -> object:
    """The data that a GraphQL document asks for."""
    document = parse(text)

    def refuse(place: str) -> None:
        miss(f"{document.name}: {place}")
        if "." not in place:
            raise Refused(400, f"{document.name}: this server has no field {place}")

    filling = Filling(document, variables, refuse)
    return filling.fill(_roots(state, url), document.selection)


def _roots(state: State, url: str) -> dict[str, Resolver]:
    def project(arguments: Arguments) -> object:
        place = place_of(arguments, "name")
        return _fields_of(place, state, url) if place in state.projects else None

    def projects(arguments: Arguments) -> object:
        here = [place for place in state.projects if place[0] == place_of(arguments)[0]]
        return edges([_fields_of(place, state, url) for place in here], arguments)

    def make(arguments: Arguments) -> object:
        place = state.enter(place_of(arguments["input"], "name"))
        fields = _fields_of(place, state, url)
        return {"model": fields, "project": fields, "inserted": True}

    return {
        "viewer": lambda _: _viewer(),
        "serverInfo": lambda _: {
            "features": [],
            "cliVersionInfo": json.dumps(VERSIONS),
            "latestLocalVersionInfo": None,
        },
        "entity": lambda arguments: _entity(arguments["name"]),
        "organization": lambda _: None,
        "project": project,
        "model": project,
        "models": projects,
        "upsertModel": make,
        **runs.mutations(state, url),
        **sweeps.mutations(state, url),
        **agents.mutations(state),
        **artifacts.mutations(state, url),
        **artifacts.queries(state, url),
        **views.mutations(state),
        **views.queries(state),
    }


def _fields_of(place: Place, state: State, url: str) -> dict[str, object]:
    """A project in W&B's schema."""
    entity, project = place
    return {
        "__typename": "Project",
        "id": key_of("Project", project, entity),
        "internalId": key_of("ProjectInternalId", str(state.projects.index(place) + 1)),
        "name": project,
        "entityName": entity,
        "entity": _entity(entity),
        "createdAt": "2026-01-01T00:00:00Z",
        "description": "",
        "access": "PRIVATE",
        "views": "{}",
        "isBenchmark": False,
        "readOnly": False,
        "user": _viewer(),
        **runs.fields_of_project(place, state, url),
        **sweeps.fields_of_project(place, state, url),
        **artifacts.fields_of_project(place, state, url),
        **views.fields_of_project(place, state),
    }


def _entity(name: str) -> dict[str, object]:
    return {
        "__typename": "Entity",
        "id": key_of("Entity", name),
        "name": name,
        "isTeam": False,
        "organization": None,
        "user": None,
        "xxhashDigestsEnabled": False,
    }


def _viewer() -> dict[str, object]:
    return {
        "__typename": "User",
        "id": key_of("User", USER),
        "name": USER,
        "username": USER,
        "email": f"{USER}@example.invalid",
        "admin": False,
        "entity": ENTITY,
        "flags": "{}",
        "deletedAt": None,
        "apiKeys": edges([]),
        "teams": edges([{"name": ENTITY}]),
    }
