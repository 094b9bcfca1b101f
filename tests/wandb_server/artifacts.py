"""Artifacts: versions of collections, with the files that were uploaded for them."""

from collections.abc import Mapping
from typing import Any

from wandb_server.graphql import Arguments, Resolver, edges
from wandb_server.state import (
    Artifact,
    Place,
    Refused,
    State,
    fresh_name,
    key_of,
    place_of,
)


def mutations(state: State, url: str) -> dict[str, Resolver]:
    """The operations that write artifacts."""

    def create(arguments: Arguments) -> object:
        given = arguments["input"]
        artifact = _same(state, given) or _made(state, given)
        return {"artifact": fields_of(artifact, state, url)}

    def create_files(arguments: Arguments) -> object:
        files = arguments["input"]["artifactFiles"]
        return {"files": edges([_new_file(state, file, url) for file in files])}

    def create_manifest(arguments: Arguments) -> object:
        artifact = artifact_of(state, arguments["input"]["artifactID"])
        return {"artifactManifest": _manifest(artifact, url)}

    def update_manifest(arguments: Arguments) -> object:
        artifact = artifact_of(state, arguments["input"]["artifactManifestID"])
        return {"artifactManifest": _manifest(artifact, url)}

    def commit(arguments: Arguments) -> object:
        artifact = artifact_of(state, arguments["input"]["artifactID"])
        artifact.state = "COMMITTED"
        return {"artifact": fields_of(artifact, state, url)}

    def use(arguments: Arguments) -> object:
        given = arguments["input"]
        artifact = artifact_of(state, given["artifactID"])
        run = state.run(place_of(given), given["runName"])
        if run:
            run.used_artifacts.append(artifact.id)
        return {"artifact": fields_of(artifact, state, url)}

    return {
        "createArtifact": create,
        "createArtifactFiles": create_files,
        "createArtifactManifest": create_manifest,
        "updateArtifactManifest": update_manifest,
        "commitArtifact": commit,
        "useArtifact": use,
    }


def queries(state: State, url: str) -> dict[str, Resolver]:
    """The operations that read one artifact."""

    def one(arguments: Arguments) -> object:
        return fields_of(artifact_of(state, arguments["id"]), state, url)

    def mapped(arguments: Arguments) -> object:
        wanted = arguments["clientID"]
        found = [each.id for each in state.artifacts.values() if each.client_id == wanted]
        return {"serverID": found[0] if found else None}

    return {"artifact": one, "clientIDMapping": mapped}


def fields_of_project(place: Place, state: State, url: str) -> dict[str, object]:
    """What a project knows of its artifacts."""

    def one(arguments: Arguments) -> object:
        artifact = _named(state, place, arguments["name"])
        return fields_of(artifact, state, url) if artifact else None

    def member(arguments: Arguments) -> object:
        artifact = _named(state, place, arguments["name"])
        return _membership(artifact, state, url) if artifact else None

    def collection(arguments: Arguments) -> object:
        artifact = _named(state, place, arguments["name"])
        return _collection(artifact, state, url) if artifact else None

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


def artifact_of(state: State, key: str) -> Artifact:
    if key not in state.artifacts:
        raise Refused(404, f"no artifact has the key {key}")
    return state.artifacts[key]


def fields_of(artifact: Artifact, state: State, url: str) -> dict[str, object]:
    """An artifact in W&B's schema."""

    def files(arguments: Arguments) -> object:
        names = arguments.get("names") or artifact.files
        return edges([_file(artifact, name, url) for name in names], arguments)

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
        "tags": [],
        "aliases": _aliases(artifact, state),
        "artifactType": _type(artifact.type),
        "artifactSequence": lambda _: _collection(artifact, state, url),
        "artifactMemberships": lambda _: edges([_membership(artifact, state, url)]),
        "currentManifest": _manifest(artifact, url) if artifact.manifest else None,
        "files": files,
        "filesByManifestEntries": files,
    }


def _collection(artifact: Artifact, state: State, url: str) -> dict[str, object]:
    """The collection that a version belongs to."""
    versions = _versions(state, artifact.place, artifact.name)

    def member(arguments: Arguments) -> object:
        named = _named(state, artifact.place, f"{artifact.name}:{arguments['aliasName']}")
        return _membership(named, state, url) if named else None

    return {
        "__typename": "ArtifactSequence",
        "id": key_of("ArtifactSequence", artifact.name, *artifact.place),
        "name": artifact.name,
        "description": None,
        "createdAt": artifact.created_at,
        "updatedAt": artifact.created_at,
        "digestAlgorithm": "MANIFEST_MD5",
        "project": _project(artifact),
        "defaultArtifactType": _type(artifact.type),
        "tags": edges([]),
        "latestArtifact": lambda _: fields_of(versions[-1], state, url),
        "artifactMembership": member,
        "artifacts": lambda arguments: _page(versions, arguments, state, url),
    }


def _page(versions: list[Artifact], arguments: Arguments, state: State, url: str) -> object:
    newest_first = [fields_of(version, state, url) for version in reversed(versions)]
    page = edges(newest_first, arguments)
    named = [{**edge, "version": f"v{edge['node']['versionIndex']}"} for edge in page["edges"]]
    return {**page, "edges": named}


def _membership(artifact: Artifact, state: State, url: str) -> dict[str, object]:
    fields = fields_of(artifact, state, url)
    shared = {name: fields[name] for name in ("versionIndex", "createdAt", "aliases", "files")}
    return shared | {
        "__typename": "ArtifactCollectionMembership",
        "id": key_of("Membership", artifact.id),
        "artifact": fields,
        "artifactCollection": fields["artifactSequence"],
    }


def _aliases(artifact: Artifact, state: State) -> list[dict[str, object]]:
    is_latest = _versions(state, artifact.place, artifact.name)[-1] is artifact
    names = [*artifact.aliases, f"v{artifact.version}", *(["latest"] if is_latest else [])]
    return [
        {
            "__typename": "ArtifactAlias",
            "id": key_of("Alias", artifact.id, name),
            "alias": name,
            "artifactCollection": {
                "__typename": "ArtifactSequence",
                "name": artifact.name,
                "project": _project(artifact),
            },
        }
        for name in dict.fromkeys(names)
    ]


def _project(artifact: Artifact) -> dict[str, object]:
    return {
        "id": key_of("Project", artifact.project, artifact.entity),
        "internalId": key_of("ProjectInternalId", "1"),
        "name": artifact.project,
        "entityName": artifact.entity,
        "entity": {"name": artifact.entity},
    }


def _type(name: str) -> dict[str, object]:
    return {
        "__typename": "ArtifactType",
        "id": key_of("ArtifactType", name),
        "name": name,
        "description": None,
        "createdAt": None,
    }


def _manifest(artifact: Artifact, url: str) -> dict[str, object]:
    address = f"{url}/storage/manifests/{artifact.id}"
    file = {"id": artifact.id, "directUrl": address, "uploadUrl": address, "uploadHeaders": []}
    return {"id": artifact.id, "file": file}


def _new_file(state: State, given: Mapping[str, Any], url: str) -> dict[str, object]:
    artifact = artifact_of(state, given["artifactID"])
    artifact.files.setdefault(given["name"], b"")
    return _file(artifact, given["name"], url)


def _file(artifact: Artifact, name: str, url: str) -> dict[str, object]:
    address = f"{url}/storage/artifacts/{artifact.id}/{name}"
    return {
        "__typename": "File",
        "id": key_of("File", artifact.id, name),
        "name": name,
        "displayName": name,
        "url": address,
        "directUrl": address,
        "uploadUrl": address,
        "uploadHeaders": [],
        "uploadMultipartUrls": None,
        "storagePath": f"artifacts/{artifact.id}/{name}",
        "sizeBytes": len(artifact.files[name]),
        "mimetype": None,
        "updatedAt": artifact.created_at,
        "md5": None,
        "digest": None,
        "artifact": {"id": artifact.id},
    }


def _versions(state: State, place: Place, name: str) -> list[Artifact]:
    return [a for a in state.artifacts.values() if a.place == place and a.name == name]


def _named(state: State, place: Place, name: str) -> Artifact | None:
    """The version that `name`, `name:v0` or `name:alias` means."""
    collection, _, alias = name.partition(":")
    versions = _versions(state, place, collection)
    if alias in ("", "latest"):
        return versions[-1] if versions else None
    found = [each for each in versions if alias in (f"v{each.version}", *each.aliases)]
    return found[-1] if found else None


def _same(state: State, given: Mapping[str, Any]) -> Artifact | None:
    """The committed version with the same content, if there is one."""
    for each in _versions(state, place_of(given), _name(given)):
        if each.digest == given["digest"] and each.state == "COMMITTED":
            return each
    return None


def _made(state: State, given: Mapping[str, Any]) -> Artifact:
    entity, project = state.enter(place_of(given))
    name = _name(given)
    artifact = Artifact(
        id=key_of("Artifact", fresh_name()),
        project=project,
        entity=entity,
        name=name,
        type=given["artifactTypeName"],
        version=len(_versions(state, (entity, project), name)),
        digest=given["digest"],
        client_id=given.get("clientID", ""),
        run=given.get("runName"),
        aliases=[each["alias"] for each in given.get("aliases", [])],
        metadata=given.get("metadata"),
        description=given.get("description"),
    )
    state.artifacts[artifact.id] = artifact
    return artifact


def _name(given: Mapping[str, Any]) -> str:
    names = given.get("artifactCollectionNames") or [given.get("artifactCollectionName")]
    return str(names[0])
