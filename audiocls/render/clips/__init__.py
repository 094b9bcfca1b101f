"""The comparison clip by clip, rendered: text, table, and the sounds to listen to."""

from audiocls.render.clips.section import MOST_SHOWN, section_of, told

__all__ = ["MOST_SHOWN", "section_of", "told"]
