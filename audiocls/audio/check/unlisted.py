"""Clips that lie in the folder of a data set, and that its list does not name."""

from collections.abc import Iterator
from pathlib import Path

from audiocls.audio.check.findings import Finding
from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import DataSet, Folder
from audiocls.audio.datasets.layout import root_folder
from audiocls.audio.listing import list_clips
from audiocls.formatting import join_names, plural


def unlisted(data: DataSet, table: ClipTable, cache: Path) -> Iterator[Finding]:
    """Yield the clips in a folder of your own that are in no row of its manifest."""
    if not isinstance(data, Folder) or data.root is None:
        return
    if any(remark.kind == "class folders" for remark in table.remarks):
        return  # those without a class are told already
    root = root_folder(data.name, data.root, cache)
    listed = {clip.path for clip in table.clips}
    missed = [path for path in list_clips(root).files if path not in listed]
    if missed:
        known = {path.parent for path in listed}
        folders = sorted(
            {p.parent.relative_to(root).as_posix() for p in missed}
            - {
                folder.relative_to(root).as_posix()
                for folder in known
                if folder.is_relative_to(root)
            }
        )
        names = tuple(path.relative_to(root).as_posix() for path in missed)
        whole = f" (nothing of {join_names(folders)} is listed)" if folders else ""
        text = f"{plural(len(names), 'clip')} in the folder and in no row of the list{whole}: "
        yield Finding("unlisted", False, text + join_names(names), names)
