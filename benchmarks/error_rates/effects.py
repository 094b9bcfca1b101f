"""Effects of factors of two levels, as contrasts of the arms of a full factorial."""

import itertools

import numpy as np
from differences import Differences
from numpy.typing import NDArray
from rules import Rule

Array = NDArray[np.float64]


def weights_of(num_factors: int) -> Array:
    """Return the main effects and interactions of two factors, as weights of all arms but the base.

    A main effect is averaged over the other factors; an interaction is the difference of two such
    averages. Shape: → (effects, arms)
    """
    levels = np.array(list(itertools.product((-1, 1), repeat=num_factors)))[1:]
    mains = levels.T / 2 ** (num_factors - 1)
    pairs = itertools.combinations(range(num_factors), 2)
    products = [levels[:, one] * levels[:, other] for one, other in pairs]
    return np.concatenate([mains, np.array(products) / 2 ** (num_factors - 2)])


def effect_claims(rule: Rule, found: Differences, num_factors: int) -> NDArray[np.bool_]:
    """Return the studies that claim any effect; main effects share an estimate, and interactions.

    Shape: → (N,)
    """
    weights = weights_of(num_factors)
    level = 0.05 / len(weights)
    kinds = np.split(weights, [num_factors])
    ps = [rule(found.contrasted(kind), level) for kind in kinds]
    return np.asarray((np.concatenate(ps, axis=1) <= level).any(axis=1))
