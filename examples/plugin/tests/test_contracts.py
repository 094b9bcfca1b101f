"""The example's parts keep what audiocls asks of its own."""

from audiocls.testing import features_contract, loss_contract, metric_contract, model_contract


def test_the_model_keeps_its_contract():
    model_contract("audiocls_example.nets:TinyCNN", in_shape=(16, 50), width=8)


def test_the_front_end_keeps_its_contract():
    features_contract("audiocls_example.front_ends:EnergyBands", bands=8)


def test_the_loss_keeps_its_contract():
    loss_contract("audiocls_example.losses:tempered", temperature=3.0)


def test_the_metric_keeps_its_contract():
    metric_contract("audiocls_example.metrics:top2")
