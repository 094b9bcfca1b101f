"""A document as a Jupyter notebook: executed where it has a template, else made of its blocks."""

import base64
import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from audiocls.render.document import Audio, Block, Document, Figure, Note, Section, Sound
from audiocls.render.figures.svg import to_png
from audiocls.render.formats import visible
from audiocls.render.formats.markdown import TOP, markdown_parts
from audiocls.render.formats.notebook_execution import executed
from audiocls.render.table import Depth

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def to_notebook(document: Document) -> str:
    """Return the text of the notebook; one from blocks holds words, tables, figures and sounds."""
    if document.template is not None:
        return executed(document.template.file, document.template.parameters)
    cells = [
        {"id": f"cell-{number}", **cell}
        for number, cell in enumerate(_cells(visible(document, Depth.PAGE), TOP))
    ]
    content = {
        "cells": cells,
        "metadata": {"kernelspec": KERNEL},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _cells(blocks: Sequence[Block], level: int) -> Iterator[dict[str, Any]]:
    """Yield a cell for each figure, each group of sounds, and each stretch of text."""
    texts: list[Block] = []
    for block in blocks:
        if not isinstance(block, Section | Figure | Audio):
            texts.append(block)
            continue
        yield from _text(texts, level)
        texts = []
        if isinstance(block, Section):
            yield _markdown(f"{'#' * (level + 1)} {block.title}")
            yield from _cells(block.blocks, level + 1)
        elif isinstance(block, Figure):
            yield _figure(block)
        else:
            yield _audio(block)
    yield from _text(texts, level)


def _text(blocks: Sequence[Block], level: int) -> Iterator[dict[str, Any]]:
    text = "\n\n".join(markdown_parts(blocks, level))
    if text:
        yield _markdown(text)


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _figure(figure: Figure) -> dict[str, Any]:
    """Return a cell that holds its image, so that running the notebook does not lose it."""
    name = f"{figure.name}.png"
    image = base64.b64encode(to_png(figure.draw())).decode()
    caption = "\n\n".join(markdown_parts([Note(figure.caption)])) if figure.caption else ""
    cell = _markdown(f"![{figure.name}](attachment:{name})\n\n{caption}".rstrip())
    return {**cell, "attachments": {name: {"image/png": image}}}


def _audio(audio: Audio) -> dict[str, Any]:
    """Return a cell with an output: Jupyter plays no sound that stands in Markdown."""
    html = "\n".join(map(_sound, audio.sounds))
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}}
    return {
        "cell_type": "code",
        "metadata": {},
        "execution_count": None,
        "source": "# Sounds; running this cell removes them.",
        "outputs": [output],
    }


def _sound(sound: Sound) -> str:
    facts = "; ".join(f"{escape(name)}: {escape(value)}" for name, value in sound.facts)
    player = f'<audio controls preload="metadata" src="{sound.address}"></audio>'
    text = f"<b>{escape(sound.title)}</b> {escape(sound.file)}<br>{facts}"
    return f"<p>{text}<br>{player if sound.address else ''}</p>"
