"""Parts of one's own: what there is to name, where modules lie, and who may name them."""

from dataclasses import asdict
from pathlib import Path

from audiocls.api.arguments import Folder
from audiocls.api.catalogue import Catalogue
from audiocls.parts.modules import add_places
from audiocls.parts.origin import trust as trust_packages
from audiocls.studies.listing import parts


def list_parts(kind: str | None = None) -> Catalogue:
    """Return the parts that a recipe can name, of a kind or all: shipped, and of plugins.

    >>> import audiocls
    >>> "adamw" in audiocls.list_parts("optimizers").names
    True
    """
    return Catalogue("Parts", tuple(asdict(each) for each in parts(kind)), droppable=("licence",))


def trust(*packages: str) -> None:
    """Run own parts of these packages that a server or a checkpoint names, here and in workers.

    >>> import audiocls
    >>> audiocls.trust("my_pkg")  # doctest: +SKIP
    """
    trust_packages(packages)


def add_path(*folders: Folder) -> None:
    """Look for modules of own parts in these folders, too, here and in workers.

    >>> import audiocls
    >>> audiocls.add_path("~/nets")  # doctest: +SKIP
    """
    add_places([Path(folder).expanduser() for folder in folders])
