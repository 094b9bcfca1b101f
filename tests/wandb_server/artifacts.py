"""Artifacts: versions of collections, with the files that were uploaded for them."""

from collections.abc import Mapping
from typing import Any

from wandb_server.artifact_fields import fields_of, file_of, manifest_of, versions_of
from wandb_server.graphql import Arguments, Resolver, edges
from wandb_server.records import Artifact, fresh_name, key_of
from wandb_server.state import State, place_of


def mutations(state: State) -> dict[str, Resolver]:
    """The operations that write artifacts."""

    def create(arguments: Arguments) -> object:
        given = arguments["input"]
        artifact = _same(state, given) or _made(state, given)
        return {"artifact": fields_of(artifact, state)}

    def create_files(arguments: Arguments) -> object:
        files = arguments["input"]["artifactFiles"]
        return {"files": edges([_new_file(state, file) for file in files])}

    def manifest(arguments: Arguments) -> object:
        given = arguments["input"]
        artifact = state.artifact(given.get("artifactManifestID") or given["artifactID"])
        return {"artifactManifest": manifest_of(artifact, state)}

    def commit(arguments: Arguments) -> object:
        artifact = state.artifact(arguments["input"]["artifactID"])
        artifact.state = "COMMITTED"
        return {"artifact": fields_of(artifact, state)}

    def use(arguments: Arguments) -> object:
        given = arguments["input"]
        artifact = state.artifact(given["artifactID"])
        run = state.run(place_of(given), given["runName"])
        if run:
            run.used_artifacts.append(artifact.id)
        return {"artifact": fields_of(artifact, state)}

    return {
        "createArtifact": create,
        "createArtifactFiles": create_files,
        "createArtifactManifest": manifest,
        "updateArtifactManifest": manifest,
        "commitArtifact": commit,
        "useArtifact": use,
    }


def _new_file(state: State, given: Mapping[str, Any]) -> dict[str, object]:
    artifact = state.artifact(given["artifactID"])
    artifact.files.setdefault(given["name"], b"")
    return file_of(artifact, given["name"], state)


def _same(state: State, given: Mapping[str, Any]) -> Artifact | None:
    """The committed version with the same content, if there is one."""
    for each in versions_of(state, place_of(given), _name(given)):
        if each.digest == given["digest"] and each.state == "COMMITTED":
            return each
    return None


def _made(state: State, given: Mapping[str, Any]) -> Artifact:
    entity, project = state.enter(place_of(given))
    name = _name(given)
    aliases = [each["alias"] for each in given.get("aliases", [])]
    before = versions_of(state, (entity, project), name)
    for each in before:
        each.aliases = [alias for alias in each.aliases if alias not in aliases]
    artifact = Artifact(
        id=key_of("Artifact", fresh_name()),
        project=project,
        entity=entity,
        name=name,
        type=given["artifactTypeName"],
        version=len(before),
        digest=given["digest"],
        client_id=given.get("clientID", ""),
        run=given.get("runName"),
        aliases=aliases,
        metadata=given.get("metadata"),
        description=given.get("description"),
    )
    state.artifacts[artifact.id] = artifact
    return artifact


def _name(given: Mapping[str, Any]) -> str:
    names = given.get("artifactCollectionNames") or [given.get("artifactCollectionName")]
    return str(names[0])
