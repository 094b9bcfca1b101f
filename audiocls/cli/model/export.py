"""`audiocls export`: a checkpoint as ONNX or TorchScript."""

from pathlib import Path
from typing import Annotated

import typer

from audiocls import console
from audiocls.atomic import write_bytes
from audiocls.cli.options import (
    CheckpointArgument,
    JsonOption,
    PathOption,
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
) -> None:
    """Write one file that needs no audiocls, checked to give the checkpoint's own logits."""
    from audiocls.training.checkpoint import load_checkpoint
    from audiocls.training.export import export, input_description, metadata

    require_file_name(out)
    restored = load_checkpoint(checkpoint)
    for note in restored.notes:
        console.note(note)
    content, difference = export(restored, form, with_front_end)
    write_bytes(out, content)
    facts = {**metadata(restored, with_front_end), "max_difference": difference}
    if as_json:
        return console.show_json({"file": str(out), "bytes": len(content), **facts})
    return console.show_facts(
        {
            "written": f"{out} ({len(content) / 2**20:.1f} MiB)",
            "input": input_description(restored, with_front_end),
            "output": f"logits (clips, {len(restored.labels)}); labels in the file's metadata",
            "parity": f"logits differ from the checkpoint's by {difference:.1g} at most",
        }
    )
