"""Types of the schema that several others hold: a project's name, a file, a user."""

from wandb_server.graphql import edges
from wandb_server.records import ENTITY, USER, Place, key_of


def project(place: Place) -> dict[str, object]:
    """A project as far as it is known by its name alone."""
    entity, name = place
    return {
        "__typename": "Project",
        "id": key_of("Project", name, entity),
        "internalId": key_of("ProjectInternalId", name, entity),
        "name": name,
        "entityName": entity,
        "entity": entity_(entity),
    }


def entity_(name: str) -> dict[str, object]:
    """A user's or a team's name space."""
    return {
        "__typename": "Entity",
        "id": key_of("Entity", name),
        "name": name,
        "isTeam": False,
        "organization": None,
        "user": None,
        "xxhashDigestsEnabled": False,
    }


def user() -> dict[str, object]:
    """The only user there is."""
    return {
        "__typename": "User",
        "id": key_of("User", USER),
        "name": USER,
        "username": USER,
        "email": f"{USER}@example.invalid",
        "photoUrl": None,
        "admin": False,
        "entity": ENTITY,
        "flags": "{}",
        "deletedAt": None,
        "apiKeys": edges([]),
        "teams": edges([{"name": ENTITY}]),
    }


def file(name: str, address: str, size: int, changed_at: str) -> dict[str, object]:
    """A file that is put to and fetched from one address."""
    return {
        "__typename": "File",
        "id": key_of("File", address),
        "name": name,
        "displayName": name,
        "url": address,
        "directUrl": address,
        "uploadUrl": address,
        "uploadHeaders": [],
        "uploadMultipartUrls": None,
        "storagePath": address.partition("/storage/")[2],
        "sizeBytes": size,
        "mimetype": None,
        "updatedAt": changed_at,
        "md5": None,
        "digest": None,
    }
