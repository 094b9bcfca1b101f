"""Builds these pages as a site, by Sphinx: run `make docs`.

The pages are plain Markdown, to be read on a code host as well. So nothing of Sphinx is in them:
the order of the site is that of the lists in README.md, and links are relative paths.
"""

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import audiocls

DOCS = Path(__file__).parent
ROOT = DOCS.parent
SOURCE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]

project = "audiocls"
release = version = audiocls.__version__
extensions = ["myst_parser"]
root_doc = "README"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
nitpicky = True
suppress_warnings = ["misc.highlighting_failure"]  # `...` and <id> in what is shown of a language

html_theme = "furo"
html_title = f"audiocls {release}"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "source_repository": SOURCE,
    "source_branch": "main",
    "source_directory": "docs/",
}


def contents(text: str, folder: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each section of a README with the pages of its folder that it links, by their titles.

    A page belongs to the section that names it first.
    """
    seen = set()
    for section in re.split(r"^## ", text, flags=re.M):
        pages = []
        for title, target in re.findall(r"\[([^\]]+)\]\(([^)#:]+\.md)\)", section):
            is_here = (folder / target).resolve().is_relative_to(folder.resolve())
            if is_here and target not in seen:
                seen.add(target)
                pages.append((title, target.removesuffix(".md")))
        yield section.partition("\n")[0].strip("# "), pages


def with_contents(text: str, folder: Path) -> str:
    """Return a README with its lists as the site's contents, which show at the side."""
    for section, pages in contents(text, folder):
        if pages:
            caption = [f":caption: {section}"] if folder == DOCS else []
            entries = [f"{title} <{page}>" for title, page in pages]
            lines = ["", "```{toctree}", ":hidden:", *caption, "", *entries, "```"]
            text += "\n".join(lines) + "\n"
    return text


def at_the_source(text: str, folder: Path) -> str:
    """Return a page whose links to files outside of docs/ lead to the code host."""

    def address(link: re.Match[str]) -> str:
        target, hash_, anchor = link[1].partition("#")
        path = (folder / target).resolve()
        if path.is_relative_to(DOCS):
            return link[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"]({SOURCE}/{kind}/main/{path.relative_to(ROOT)}{hash_}{anchor})"

    return re.sub(r"\]\((\.\./[^)]+)\)", address, text)


def prepare(app: Any, name: str, source: list[str]) -> None:
    """Give Sphinx a page with contents and addresses."""
    page = DOCS / f"{name}.md"
    text = at_the_source(source[0], page.parent)
    source[0] = with_contents(text, page.parent) if page.stem == "README" else text


def add_entrance(app: Any, fault: Exception | None) -> None:
    """Have the folder of the site open with the page of contents."""
    if fault is None:
        shutil.copy(Path(app.outdir, "README.html"), Path(app.outdir, "index.html"))


def setup(app: Any) -> None:
    """Join Sphinx."""
    app.connect("source-read", prepare)
    app.connect("build-finished", add_entrance)
