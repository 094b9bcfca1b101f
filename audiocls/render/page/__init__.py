"""Pages: templates beside this file, each a section or a whole, in one style."""

import re
from typing import Any

from audiocls.formatting import format_count, format_duration, format_estimate, format_p
from audiocls.render.svg import BLUE, GREEN, ORANGE


def render(template: str, **values: Any) -> str:
    """A template of this folder with its values; one that it lacks is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("audiocls.render", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": format_count,
        "duration": format_duration,
        "estimate": format_estimate,
        "p_value": format_p,
    }
    return environment.get_template(template).render(**values)


def inline(svg: str) -> str:
    """The page's own colours in place of fixed ones, which are for light alone.

    HTML knows the namespaces of an inline SVG: without them the file holds no address at all.
    """
    for colour, variable in {BLUE: "better", ORANGE: "worse", GREEN: "equivalent"}.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
