"""The budget guard: a model that costs too much is refused before its first step."""

from audiocls.config import Config
from audiocls.errors import ConfigError
from audiocls.training.classifier import Classifier
from audiocls.training.cost import macs_of, num_params
from audiocls.training.layer_summary import largest_layers


def require_within(config: Config, classifier: Classifier, num_classes: int) -> None:
    """Raises `ConfigError` saying by how much the budget is exceeded, and what dominates."""
    budget = config.budget
    spent = {
        "max_params": (num_params(classifier), budget.max_params),
        "max_macs": (macs_of(config, num_classes), budget.max_macs),
    }
    faults = [
        f"{name}: the model {config.model.name} needs {value:,}, {value - limit:,} "
        f"({value / limit - 1:.0%}) above {limit:,}"
        for name, (value, limit) in spent.items()
        if limit is not None and value > limit
    ]
    if faults:
        largest = largest_layers(config.model, config.in_shape, num_classes)[:3]
        parts = ", ".join(f"{name} ({p:,} parameters, {m:,} MACs)" for name, p, m in largest)
        raise ConfigError("budget", [*faults, f"what dominates: {parts}"])
