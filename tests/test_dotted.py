"""Dotted keys and nested mappings are two spellings of one thing."""

import copy
import doctest

import pytest

from audiocls import dotted
from audiocls.dotted import flatten, nest

TREES = [
    {},
    {"seed": 1},
    {"optim": {"name": "sgd", "lr": 0.1}, "seed": 0},
    {"a": {"b": {"c": {"d": [1, {"x": 2}]}}}, "e": None},
    {"augment": {}},
]


@pytest.mark.parametrize("tree", TREES)
def test_nesting_undoes_flattening(tree):
    assert nest(flatten(tree)) == tree


@pytest.mark.parametrize("tree", TREES)
def test_flattening_a_flat_mapping_changes_nothing(tree):
    assert flatten(flatten(tree)) == flatten(tree)


def test_a_later_name_wins_over_an_earlier_one_it_contradicts():
    assert nest({"model": "x", "model.name": "a"}) == {"model": {"name": "a"}}
    assert nest({"model.name": "a", "model": "x"}) == {"model": "x"}


def test_neither_direction_changes_what_it_is_given():
    given = {"augment": {}, "augment.gain_db": 3.0, "optim": {"lr": 0.1}, "optim.momentum": 0.5}
    before = copy.deepcopy(given)
    flatten(given)
    nest(given)
    assert given == before


def test_the_examples_hold():
    assert doctest.testmod(dotted).failed == 0
