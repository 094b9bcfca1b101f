"""`audiocls export`: a checkpoint as ONNX or TorchScript."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiocls import console
from audiocls.atomic import write_bytes
from audiocls.cli.checkpoints import CheckpointArgument, require_file_name
from audiocls.cli.options import JsonOption
from audiocls.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from audiocls.training.checkpoint import Checkpoint

FORMS = ("onnx", "torchscript")


def export(
    checkpoint: CheckpointArgument,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    form: Annotated[str, typer.Option("--format", help="onnx or torchscript.")] = "onnx",
    with_front_end: Annotated[
        bool,
        typer.Option(
            "--front-end/--no-front-end", help="Whether it takes waves, or the features of them."
        ),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Write one file that needs no audiocls, checked to give the checkpoint's own logits."""
    if form not in FORMS:
        allowed = f"--format: got {form!r}; allowed: {', '.join(FORMS)}."
        raise UsageError(allowed + did_you_mean(form, FORMS))
    require_file_name(out)
    from audiocls.training.checkpoint import load_checkpoint
    from audiocls.training.export import export, metadata

    restored = load_checkpoint(checkpoint)
    content, difference = export(restored, form, with_front_end)
    write_bytes(out, content)
    facts = {**metadata(restored, with_front_end), "max_difference": difference}
    if as_json:
        return console.show_json({"file": str(out), "bytes": len(content), **facts})
    return console.show_facts(
        {
            "written": f"{out} ({len(content) / 2**20:.1f} MiB)",
            "input": _input(restored, with_front_end),
            "output": f"logits (clips, {len(restored.labels)}); labels in the file's metadata",
            "parity": f"logits differ from the checkpoint's by {difference:.1g} at most",
        }
    )


def _input(checkpoint: "Checkpoint", with_front_end: bool) -> str:
    data, features = checkpoint.config.data, checkpoint.config.features
    if with_front_end:
        return f"waves (clips, {checkpoint.num_samples}) in ±1 at {data.sample_rate} Hz"
    channels, frames = features.shape(checkpoint.num_samples)
    return f"features (clips, {channels}, {frames}) as {features.name} gives them"
