"""Formats: one module each, from a `Document` to what people read; no format knows an analysis.

    terminal   on a screen, or piped            latex      tables for a paper
    json       the analysis as plain values     notebook   for Jupyter
    markdown   for a pull request or a README   wandb      a Report and a Workspace
    html       one page that needs nothing else
    csv        the trials behind it, a row each

`write` is the one place that chooses among them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from audiocls import console
from audiocls.render.document import Block, Document, Section
from audiocls.render.output import KEPT, Output
from audiocls.render.table import Depth, Table


def write(
    document: Document, output: Output, stem: Path, project: tuple[str, str] = ("", "")
) -> None:
    """Print the document, or write it into `output.file`, or else into `stem` with its suffix.

    `project` is the W&B entity and project that the study's runs are in, where known.
    """
    if output.format == "terminal":
        from audiocls.render.formats.terminal import show

        show(document)
    elif output.format == "wandb":
        from audiocls.render.formats.wandb import publish

        for line in publish(document, output.file, stem, _place(output, project)):
            console.say(line)
    else:
        _write_text(document, output, stem)


def _place(output: Output, project: tuple[str, str]) -> tuple[str, str]:
    return output.entity or project[0], output.project or project[1]


def _write_text(document: Document, output: Output, stem: Path) -> None:
    file = output.file
    if file is None and output.format in KEPT:
        template = document.template if output.format == "ipynb" else None
        name = template.file.stem if template else stem.name
        file = stem.with_name(name + KEPT[output.format])
    text = writer(output.format)(document)
    if file is None:
        print(text, end="")
    else:
        from audiocls.atomic import write_text

        write_text(file, text)
        console.say(str(file))


def writer(format_: str) -> Callable[[Document], str]:
    """Return the function that makes a document the text of a format."""
    from audiocls.render.formats.csv import to_csv
    from audiocls.render.formats.html import to_html
    from audiocls.render.formats.json import to_json
    from audiocls.render.formats.latex import to_latex
    from audiocls.render.formats.markdown import to_markdown
    from audiocls.render.formats.notebook import to_notebook

    return {
        "json": to_json,
        "csv": to_csv,
        "md": to_markdown,
        "html": to_html,
        "tex": to_latex,
        "ipynb": to_notebook,
    }[format_]


def visible(document: Document, depth: Depth) -> tuple[Block, ...]:
    """Return the blocks that a format of this depth shows, tables with the columns that it does."""
    return tuple(_visible(document.blocks, depth))


def _visible(blocks: Sequence[Block], depth: Depth) -> Iterator[Block]:
    for block in blocks:
        if block.depth > depth:
            continue
        if isinstance(block, Section):
            inner = tuple(_visible(block.blocks, depth))
            if inner:
                yield replace(block, blocks=inner)
        else:
            yield block.at(depth) if isinstance(block, Table) else block
