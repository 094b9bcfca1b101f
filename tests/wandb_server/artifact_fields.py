"""Artifacts as they are asked about: versions, their collections, types and files."""

from wandb_server import small_types
from wandb_server.graphql import Arguments, Resolver, edges
from wandb_server.records import Artifact, Place, key_of
from wandb_server.state import State


def queries(state: State) -> dict[str, Resolver]:
    """The operations that read one artifact."""

    def one(arguments: Arguments) -> object:
        return fields_of(state.artifact(arguments["id"]), state)

    def mapped(arguments: Arguments) -> object:
        wanted = arguments["clientID"]
        found = [each.id for each in state.artifacts.values() if each.client_id == wanted]
        return {"serverID": found[0] if found else None}

    return {"artifact": one, "clientIDMapping": mapped}


def fields_of_project(place: Place, state: State) -> dict[str, object]:
    """What a project knows of its artifacts."""

    def one(arguments: Arguments) -> object:
        artifact = _named(state, place, arguments["name"])
        return fields_of(artifact, state) if artifact else None

    def member(arguments: Arguments) -> object:
        artifact = _named(state, place, arguments["name"])
        return _membership(artifact, state) if artifact else None

    def collection(arguments: Arguments) -> object:
        artifact = _named(state, place, arguments["name"])
        return _collection(artifact, state) if artifact else None

    def type_(arguments: Arguments) -> object:
        types = {each.type for each in state.artifacts.values() if each.place == place}
        if arguments["name"] not in types:
            return None
        return {**_type(arguments["name"]), "artifactCollection": collection}

    return {
        "artifact": one,
        "artifactCollectionMembership": member,
        "artifactCollection": collection,
        "artifactType": type_,
    }


def fields_of(artifact: Artifact, state: State) -> dict[str, object]:
    """An artifact in W&B's schema."""

    def files(arguments: Arguments) -> object:
        names = arguments.get("names") or artifact.files
        return edges([file_of(artifact, name, state) for name in names], arguments)

    return {
        "__typename": "Artifact",
        "id": artifact.id,
        "state": artifact.state,
        "digest": artifact.digest,
        "digestAlgorithm": "MANIFEST_MD5",
        "versionIndex": artifact.version,
        "commitHash": None,
        "size": sum(map(len, artifact.files.values())),
        "fileCount": len(artifact.files),
        "metadata": artifact.metadata,
        "description": artifact.description,
        "ttlDurationSeconds": -2,
        "ttlIsInherited": True,
        "createdAt": artifact.created_at,
        "updatedAt": artifact.created_at,
        "historyStep": None,
        "createdBy": lambda _: _run(artifact, artifact.run) if artifact.run else None,
        "usedBy": lambda _: edges([_run(artifact, each) for each in _users(state, artifact)]),
        "tags": [],
        "aliases": _aliases(artifact, state),
        "artifactType": _type(artifact.type),
        "artifactSequence": lambda _: _collection(artifact, state),
        "artifactMemberships": lambda _: edges([_membership(artifact, state)]),
        "currentManifest": manifest_of(artifact, state) if artifact.manifest else None,
        "files": files,
        "filesByManifestEntries": files,
    }


def _collection(artifact: Artifact, state: State) -> dict[str, object]:
    """The collection that a version belongs to."""
    versions = versions_of(state, artifact.place, artifact.name)

    def member(arguments: Arguments) -> object:
        named = _named(state, artifact.place, f"{artifact.name}:{arguments['aliasName']}")
        return _membership(named, state) if named else None

    return {
        "__typename": "ArtifactSequence",
        "id": key_of("ArtifactSequence", artifact.name, *artifact.place),
        "name": artifact.name,
        "description": None,
        "createdAt": artifact.created_at,
        "updatedAt": artifact.created_at,
        "digestAlgorithm": "MANIFEST_MD5",
        "project": small_types.project(artifact.place),
        "defaultArtifactType": _type(artifact.type),
        "tags": edges([]),
        "latestArtifact": lambda _: fields_of(versions[-1], state),
        "artifactMembership": member,
        "artifacts": lambda arguments: _page(versions, arguments, state),
    }


def _page(versions: list[Artifact], arguments: Arguments, state: State) -> object:
    newest_first = [fields_of(version, state) for version in reversed(versions)]
    page = edges(newest_first, arguments)
    named = [{**edge, "version": f"v{edge['node']['versionIndex']}"} for edge in page["edges"]]
    return {**page, "edges": named}


def _membership(artifact: Artifact, state: State) -> dict[str, object]:
    fields = fields_of(artifact, state)
    shared = {name: fields[name] for name in ("versionIndex", "createdAt", "aliases", "files")}
    return shared | {
        "__typename": "ArtifactCollectionMembership",
        "id": key_of("Membership", artifact.id),
        "artifact": fields,
        "artifactCollection": fields["artifactSequence"],
    }


def _aliases(artifact: Artifact, state: State) -> list[dict[str, object]]:
    is_latest = versions_of(state, artifact.place, artifact.name)[-1] is artifact
    names = [*artifact.aliases, f"v{artifact.version}", *(["latest"] if is_latest else [])]
    return [
        {
            "__typename": "ArtifactAlias",
            "id": key_of("Alias", artifact.id, name),
            "alias": name,
            "artifactCollection": {
                "__typename": "ArtifactSequence",
                "name": artifact.name,
                "project": small_types.project(artifact.place),
            },
        }
        for name in dict.fromkeys(names)
    ]


def _type(name: str) -> dict[str, object]:
    return {
        "__typename": "ArtifactType",
        "id": key_of("ArtifactType", name),
        "name": name,
        "description": None,
        "createdAt": None,
    }


def manifest_of(artifact: Artifact, state: State) -> dict[str, object]:
    address = f"{state.url}/storage/manifests/{artifact.id}"
    file = {"id": artifact.id, "directUrl": address, "uploadUrl": address, "uploadHeaders": []}
    return {"id": artifact.id, "file": file}


def file_of(artifact: Artifact, name: str, state: State) -> dict[str, object]:
    address = f"{state.url}/storage/artifacts/{artifact.id}/{name}"
    file = small_types.file(name, address, len(artifact.files[name]), artifact.created_at)
    return {**file, "artifact": {"id": artifact.id}}


def versions_of(state: State, place: Place, name: str) -> list[Artifact]:
    return [a for a in state.artifacts.values() if a.place == place and a.name == name]


def _named(state: State, place: Place, name: str) -> Artifact | None:
    """The version that `name`, `name:v0` or `name:alias` means."""
    collection, _, alias = name.partition(":")
    versions = versions_of(state, place, collection)
    if alias in ("", "latest"):
        return versions[-1] if versions else None
    found = [each for each in versions if alias in (f"v{each.version}", *each.aliases)]
    return found[-1] if found else None


def _users(state: State, artifact: Artifact) -> list[str]:
    return [run.id for run in state.runs.values() if artifact.id in run.used_artifacts]


def _run(artifact: Artifact, run_id: str) -> dict[str, object]:
    key = key_of("Run", run_id, artifact.project, artifact.entity)
    project = small_types.project(artifact.place)
    return {"__typename": "Run", "id": key, "name": run_id, "project": project}
