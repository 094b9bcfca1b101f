"""Views: reports and workspaces, kept as they are sent."""

from wandb_server import small_types
from wandb_server.graphql import Arguments, Resolver, edges
from wandb_server.records import Place, View, fresh_name, key_of, now
from wandb_server.state import State, place_of


def mutations(state: State) -> dict[str, Resolver]:
    """The operations that write views."""

    def upsert(arguments: Arguments) -> object:
        given = arguments["input"]
        is_new = given.get("id") not in state.views
        if is_new:
            entity, project = state.enter(place_of(given))
            key = given.get("id") or key_of("View", fresh_name())
            state.views[key] = View(key, project, entity, given["type"], given["name"])
        view = state.views[given.get("id") or key]
        view.name = given.get("name", view.name)
        view.display_name = given.get("displayName", view.display_name)
        view.description = given.get("description", view.description)
        view.text = given.get("spec", view.text)
        view.updated_at = now()
        return {"view": _fields_of(view), "inserted": is_new}

    def delete(arguments: Arguments) -> object:
        is_there = state.views.pop(arguments["input"]["id"], None) is not None
        return {"__typename": "DeleteViewPayload", "success": is_there, "pendingDrafts": []}

    return {"upsertView": upsert, "deleteView": delete}


def queries(state: State) -> dict[str, Resolver]:
    """The operations that read one view."""

    def one(arguments: Arguments) -> object:
        view = state.views.get(arguments["id"])
        return _fields_of(view) if view else None

    return {"view": one}


def fields_of_project(place: Place, state: State) -> dict[str, object]:
    """What a project knows of its views."""

    def many(arguments: Arguments) -> object:
        views = [view for view in state.views.values() if view.place == place]
        for argument, attribute in (("viewType", "type"), ("viewName", "name")):
            if argument in arguments:
                views = [view for view in views if getattr(view, attribute) == arguments[argument]]
        return edges([_fields_of(view) for view in views], arguments)

    return {"allViews": many}


def _fields_of(view: View) -> dict[str, object]:
    return {
        "__typename": "View",
        "id": view.id,
        "type": view.type,
        "name": view.name,
        "displayName": view.display_name,
        "description": view.description,
        "spec": view.text,
        "createdAt": view.created_at,
        "updatedAt": view.updated_at,
        "project": small_types.project(view.place),
        "user": small_types.user(),
    }
