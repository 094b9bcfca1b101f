"""The live page: studies as they run, read from their folders and from nowhere else.

A `Watched` study is looked at for every request: states by which files there are (`store.glance`),
results read once each (`results`), and what takes longer, comparisons and curves, behind the page
(`behind`). No number is computed here: states, sentences, effects and verdicts are those of
`sweep status` and `report`. Nothing in this part writes, but for `report --watch` its page.
"""
