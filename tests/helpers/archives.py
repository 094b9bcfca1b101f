"""Archives made in memory."""

import io
import tarfile


def tarred(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a .tar.gz with these entries and their contents."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as pack:
        for entry, each in entries:
            entry.size = len(each)
            pack.addfile(entry, io.BytesIO(each))
    return content.getvalue()
