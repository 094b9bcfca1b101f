"""Own parts: what a recipe names as `"package.module:attribute"`, or by the name of a plugin.

names      the spelling, and where it occurs in a document
origin     who named it: the user's files are trusted, servers and checkpoints are not
modules    where modules lie, found without running any of them
signature  the options that a callable takes, read from its source
code       what identifies a part's code: a digest of its files, or its distribution's version
plugins    entry points of installed distributions
loading    the one place that imports them
own        the options of an own part of any kind
union      how a union of shipped parts has own ones too

Planning reads sources only: neither the user's module nor torch is imported.
"""

from audiocls.parts.origin import KEPT, OWN_FILES, Origin
from audiocls.parts.own import Call, OwnPart, has_own_parts, own_parts
from audiocls.parts.union import OrOwn, OrText

__all__ = [
    "KEPT",
    "OWN_FILES",
    "Call",
    "OrOwn",
    "OrText",
    "Origin",
    "OwnPart",
    "has_own_parts",
    "own_parts",
]
