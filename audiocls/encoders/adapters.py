"""The door to peft: low-rank adaptation of an encoder's attention (Hu et al., 2022, LoRA)."""

from torch import nn

from audiocls.errors import ConfigError

TARGETS = ("q_proj", "v_proj", "query", "value", "qkv")
"""Last words of the layers that are adapted: queries and values, as in the paper."""


def adapt(network: nn.Module, rank: int, alpha: int, dropout: float) -> None:
    """Freeze a network and add trained low-rank branches to its attention, in place.

    A branch starts at zero, so that the adapted network computes what it did.

    Raises:
        ConfigError: peft is missing, or there is no attention to adapt.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError as error:
        fault = f"{error.name} is not installed; it is an extra: pip install 'audiocls[encoders]'"
        raise ConfigError("model.lora", [fault]) from error
    linear = [name for name, part in network.named_modules() if isinstance(part, nn.Linear)]
    if not any(name.rpartition(".")[2] in TARGETS for name in linear):
        fault = f"no layer is called {', '.join(TARGETS)}; this encoder has no attention to adapt"
        raise ConfigError("model.lora", [fault])
    targets = sorted({name.rpartition(".")[2] for name in linear} & set(TARGETS))
    network.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets)
    inject_adapter_in_model(config, network)
