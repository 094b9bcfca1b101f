"""`audiocls export`: a checkpoint as ONNX or TorchScript."""

from pathlib import Path
from typing import Annotated

import typer

import audiocls
from audiocls import console
from audiocls.cli.options import (
    RUNS,
    CheckpointArgument,
    JsonOption,
    PathOption,
    RunsOption,
    TrustOption,
    require_file_name,
)


def export(
    checkpoint: CheckpointArgument,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    form: Annotated[str, typer.Option("--format", help="onnx or torchscript.")] = "onnx",
    with_front_end: Annotated[
        bool,
        typer.Option(
            "--front-end/--no-front-end", help="Whether the input is waveforms, or their features."
        ),
    ] = True,
    as_json: JsonOption = False,
    trusted: TrustOption = None,
    places: PathOption = None,
    runs: RunsOption = RUNS,
) -> None:
    """Write one file that needs no audiocls, checked to give the checkpoint's own logits."""
    require_file_name(out)
    made = audiocls.export(checkpoint, out, format=form, front_end=with_front_end, runs=runs)
    for note in made.notes:
        console.note(note)
    if as_json:
        known = {**made.metadata, "max_difference": made.max_difference}
        files = {"file": str(made.file), "beside": list(map(str, made.beside))}
        return console.show_json({**files, "bytes": made.num_bytes, **known})
    num_labels = len(made.metadata["labels"])
    console.show_facts(
        {
            "written": f"{made.file} ({made.num_bytes / 2**20:.1f} MiB)",
            "beside": ", ".join(map(str, made.beside)),
            "input": made.input,
            "output": f"logits (clips, {num_labels}); labels in the file's metadata",
            "parity": f"logits differ from the checkpoint's by {made.max_difference:.1g} at most",
        }
    )
    if made.snippet:
        console.heading("Use it without audiocls")
        console.verbatim(made.snippet.rstrip())
    return None
