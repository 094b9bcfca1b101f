"""`audiocls predict`: labels for audio files."""

from pathlib import Path
from typing import Annotated

import typer

from audiocls import console
from audiocls.cli.options import JsonOption
from audiocls.errors import DataError


def predict(
    checkpoint: Annotated[Path, typer.Argument(help="A finished trial's folder, or its weights.")],
    files: Annotated[list[Path], typer.Argument(help="Audio of any rate, length and channels.")],
    as_json: JsonOption = False,
) -> None:
    """Print each file's label and its probability; a bad file is reported, the others go on."""
    from audiocls.train.checkpoint import load_checkpoint
    from audiocls.train.predict import Prediction
    from audiocls.train.predict import predict as classify

    classifier = load_checkpoint(checkpoint)
    found: list[Prediction] = []
    faults: list[str] = []
    for file in files:
        try:
            found.append(classify(classifier, file))
        except DataError as error:
            faults.append(str(error))
    if as_json:
        console.show_json(
            [
                {
                    "file": str(p.file),
                    "label": p.label,
                    "probability": p.probability,
                    "probabilities": p.probabilities,
                }
                for p in found
            ]
        )
    else:
        for each in found:
            console.say(f"{each.file}\t{each.label}\t{each.probability:.3f}")
    if faults:
        raise DataError("\n".join(faults))
