"""What keeps several devices from sharing the batches of a trial, known before one is trained.

The ranks of a trial refuse the same (`training/ranks.py`): there it is a failure of every cell.
"""

from collections.abc import Iterable

from audiocls.config import Config
from audiocls.errors import UsageError
from audiocls.extras import is_installed
from audiocls.models.fine_tuning import FineTuning
from audiocls.models.own import OwnModel


def require_shared(configs: Iterable[Config], size: int, kind: str) -> None:
    """Raise `UsageError` for the first trial whose batches `size` devices cannot share.

    Args:
        kind: of the devices, such as `cpu`.
    """
    if size == 1:
        return
    is_normalised: dict[tuple[object, ...], bool] = {}
    for config in configs:
        network = (config.model, config.features, config.in_shape)
        if kind == "cpu" and network not in is_normalised:
            is_normalised[network] = _has_batch_norm(config)
        if reason := _obstacle(config, size, is_normalised.get(network, False)):
            raise UsageError(f"--devices-per-trial: got {size}; {reason}")


def _obstacle(config: Config, size: int, is_normalised_on_cores: bool) -> str:
    """Return what is in the way, and what to do about it; an empty text if nothing is."""
    batch_size = config.train.batch_size
    if batch_size < size:
        return (
            f"train.batch_size: {batch_size}, fewer clips than devices: allowed here: {size} or "
            "more"
        )
    if config.augment.feature_mixup > 0:
        return "augment.feature_mixup mixes whole batches, which devices share: leave one out"
    if is_normalised_on_cores:
        return (
            f"model.name: {config.model.name} has BatchNorm, whose statistics several GPUs share, "
            "but no processes on cores: leave the option out"
        )
    return ""


def _has_batch_norm(config: Config) -> bool:
    """Whether the network normalises by its batch; not known of those of other packages."""
    if not is_installed("train") or isinstance(config.model, OwnModel | FineTuning):
        return False
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    from audiocls.training.cost import trained_network

    with torch.device("meta"):  # layers without weights
        network, _ = trained_network(config, num_classes=2)
    return any(isinstance(layer, _BatchNorm) for layer in network.modules())
