"""Files of ablations, sweeps, recipes and notebooks by name; nothing of them is read.

It imports little, for the shell asks it for completions while somebody types.
"""

from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

import audiocls

Kind = Literal["ablations", "sweeps", "recipes", "notebooks"]

PACKAGE = Path(audiocls.__file__).parent


def shipped(kind: Kind) -> Path:
    """Return the folder of the built-in files: inside the wheel, or in the checkout around it."""
    if kind == "recipes":
        return PACKAGE / "recipes"
    inside = PACKAGE / "_library" / kind
    return inside if inside.is_dir() else PACKAGE.parent / kind


def available(kind: Kind) -> dict[str, Path]:
    """Return the files by name; those of the working directory replace all others."""
    plugins = (folder / kind for folder in _plugin_folders())
    return files_in(shipped(kind), *plugins, Path(kind))


def files_in(*folders: Path) -> dict[str, Path]:
    """Return the files of folders by name, of which later ones replace earlier ones."""
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def _plugin_folders() -> list[Path]:
    if not entry_points(group="audiocls.library"):
        return []
    from audiocls.parts.plugins import library_folders

    return library_folders()
