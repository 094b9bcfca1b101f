"""Two optimiser steps of each EAT recipe by the authors' code, for `tests/test_eat_steps.py`.

    git clone https://github.com/Alibaba-MIIL/AudioClassfication  # at 6277e5e
    PYTHONPATH=tests python benchmarks/eat_steps.py AudioClassfication

Network, losses, mixing loss and parameter groups are imported from there. The few lines of its
`trainer.py` between them, which a script cannot import, are followed here: the AMP branch (Adam's
eps, clipping at 1) in float64 without its scaler, dropout off. The first step has the authors'
label smoothing (for AudioSet BCE), the second is of mixed clips. The numbers go to
tests/golden/eat_steps.json.
"""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from helpers import eat_steps as shared
from torch import Tensor, nn

from audiocls import library
from audiocls.config import resolve


def steps_of(case: shared.Case) -> list[dict[str, Any]]:
    """Return loss (summed over clips), gradient norm before clipping, and updates of two steps."""
    from modules.soundnet import SoundNetRaw  # type: ignore[import-not-found]
    from utils.helper_funcs import add_weight_decay  # type: ignore[import-not-found]

    scale = 4
    for factor in case.factors:
        scale *= factor
    network = SoundNetRaw(
        clip_length=case.num_samples // scale,
        n_classes=shared.NUM_CLASSES,
        factors=list(case.factors),
        **case.size,
    )
    _switch_off_dropout(network.double())
    parameters = _start(network, case)
    groups = add_weight_decay(network, 1e-5)
    optimizer = torch.optim.AdamW(groups, lr=3e-4, betas=(0.9, 0.99), weight_decay=0, eps=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=3e-4,
        steps_per_epoch=case.epoch_steps,
        epochs=case.num_epochs,
        pct_start=0.1,
    )
    found = []
    for step in range(2):
        before = {name: p.detach().numpy().copy() for name, p in parameters.items()}
        waves = torch.from_numpy(shared.waveforms(case.num_samples, step)).double().unsqueeze(1)
        loss = _loss(network(waves), case, is_mixed=step == 1)
        network.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm=1)
        optimizer.step()
        schedule.step()
        after = {name: p.detach().numpy() for name, p in parameters.items()}
        told = {"loss": loss.item(), "grad_norm": float(norm)}
        found.append(told | shared.summary(before, after))
    return found


def _loss(logits: Tensor, case: shared.Case, is_mixed: bool) -> Tensor:
    from datasets.batch_augs import BatchAugs  # type: ignore[import-not-found]
    from modules.losses import LabelSmoothCrossEntropyLoss  # type: ignore[import-not-found]

    if case.is_multi_label:
        own, other = (
            torch.from_numpy(shared.hot(labels)).double()
            for labels in (shared.MULTI_LABELS, shared.OTHER_MULTI_LABELS)
        )
    else:
        own, other = torch.tensor(shared.LABELS), torch.tensor(shared.OTHER_LABELS)
    if is_mixed:
        parameters = {"fs": 22050, "mix_loss": "bce", "resample_factors": [], "augs": []}
        mixed = BatchAugs(parameters).mix_loss(
            logits,
            (own, other, torch.tensor(shared.SHARES)),
            n_classes=shared.NUM_CLASSES,
            pred_one_hot=case.is_multi_label,
        )
        return torch.as_tensor(mixed)
    smooth = LabelSmoothCrossEntropyLoss(smoothing=0.1, reduction="sum")
    criterion = nn.BCEWithLogitsLoss(reduction="sum") if case.is_multi_label else smooth
    return torch.as_tensor(criterion(logits, own))


def _start(network: nn.Module, case: shared.Case) -> dict[str, nn.Parameter]:
    """Set the shared first weights; return the parameters by our names."""
    changes = {"data": {"name": "synthetic", "sample_rate": shared.SAMPLE_RATE}}
    changes["data"]["duration_s"] = case.num_samples / shared.SAMPLE_RATE
    config = resolve([library.recipe(case.recipe), changes, {"train.select": "last"}], "")
    ours = config.model.build(config.in_shape, shared.NUM_CLASSES)
    theirs = dict(network.named_parameters())
    found = {}
    for name, parameter in ours.named_parameters():
        found[name] = theirs.pop(shared.authors_name(name, len(case.factors)))
        value = torch.from_numpy(shared.first_value(name, tuple(parameter.shape)))
        found[name].data.copy_(value)
    assert not theirs, f"tensors without a partner: {list(theirs)}"
    return found


def _switch_off_dropout(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0


def main() -> None:
    folder = Path(sys.argv[1])
    sys.path.insert(0, str(folder))
    warnings.filterwarnings("ignore", message="enable_nested_tensor")
    asked = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    commit = sys.argv[2] if len(sys.argv) > 2 else subprocess.check_output(asked, text=True).strip()
    content = {
        "made by": "benchmarks/eat_steps.py",
        "code": f"Alibaba-MIIL/AudioClassfication {commit}",
        "torch": str(torch.__version__),
        "steps": {case.recipe: steps_of(case) for case in shared.CASES},
    }
    shared.GOLDEN.write_text(json.dumps(content, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
