"""Own parts: what a recipe names as `"package.module:attribute"`, or by the name of a plugin.

names      the spelling, and where it occurs in a document
origin     who named it: the user's files are trusted, servers and checkpoints are not
modules    where modules lie, found without running any of them, and the one place that imports them
signature  the options that a callable takes, read from its source
code       what identifies a part's code: a digest of its files, or its distribution's version
plugins    entry points of installed distributions
own        the options of an own part, in the unions of all kinds

Planning reads sources only: neither the user's module nor torch is imported.
"""

from audiocls.parts.origin import KEPT, OWN_FILES, Origin
from audiocls.parts.own import Call, OrOwn, OwnPart, own_parts

__all__ = ["KEPT", "OWN_FILES", "Call", "OrOwn", "Origin", "OwnPart", "own_parts"]
