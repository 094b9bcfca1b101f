"""The contracts of parts, for whoever writes some: the tests that audiocls holds its own parts to.

    from audiocls.testing import model_contract

    def test_my_net():
        model_contract("my_pkg.nets:MyNet", in_shape=(64, 100), width=32)

A part is an import string with its options, or the options of a shipped part. Each contract raises
`AssertionError` by the first rule that is broken; a single rule is a function of the modules here.
"""

from audiocls.testing.data import data_contract
from audiocls.testing.features import features_contract
from audiocls.testing.functions import loss_contract, metric_contract, transform_contract
from audiocls.testing.models import model_contract
from audiocls.testing.optimisers import optimizer_contract, schedule_contract

__all__ = [
    "data_contract",
    "features_contract",
    "loss_contract",
    "metric_contract",
    "model_contract",
    "optimizer_contract",
    "schedule_contract",
    "transform_contract",
]
