"""Rendering: an analysis becomes a `Document`, and a document becomes any format.

    document   the blocks that an answer is made of; `table` is the one with cells
    build      one function from each analysis to a document
    formats    one function from a document to each format
    figures    what is drawn

Cheap to import: matplotlib and jinja2 are loaded by the function that needs them.
"""
