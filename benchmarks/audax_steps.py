"""Steps and features of audax' code, for `tests/test_audax_steps.py` and `test_audax_features.py`.

    git clone https://github.com/SarthakYadav/audax  # at 91bfde5
    pip install "jax[cpu]" flax optax  # in an environment of its own; torch is not needed
    PYTHONPATH=tests python benchmarks/audax_steps.py audax 91bfde5

Networks, front ends, COLA's and SimCLR's models and NT-Xent are imported from there. Its training
modules need a Flax of 2022 (`flax.optim`); the few lines between them are followed here: mean
softmax cross-entropy, optax' AdamW, the linear warm-up and cosine. In float64, without dropout,
stochastic depth and SpecAugment. The numbers go to tests/golden/audax_steps.json.
"""

# mypy: ignore-errors

import json
import sys
from functools import partial
from pathlib import Path

import flax
import jax
import numpy as np
import optax
from helpers import audax_steps as shared
from jax import numpy as jnp


def main() -> None:
    folder, commit = Path(sys.argv[1]), sys.argv[2]
    sys.path[:0] = [str(folder), str(folder / "recipes/cola"), str(folder / "recipes/simclr")]
    jax.config.update("jax_enable_x64", True)
    # Its modules name float32 where they mean the default, and limits as JAX did in 2022.
    jnp.float32, jnp.complex64 = jnp.float64, jnp.complex128
    jnp.clip = partial(_clip, jnp.clip)
    content = {
        "made by": "benchmarks/audax_steps.py",
        "code": f"SarthakYadav/audax {commit}",
        "versions": {"jax": jax.__version__, "flax": flax.__version__, "optax": optax.__version__},
        "features": features_of(),
        "lars": lars(),
        "rates": rates(),
        "steps": {},
    }
    for case in shared.CASES:
        content["steps"][case.name] = steps_of(case)
        print(case.name, flush=True)
        shared.GOLDEN.write_text(_lines(content), encoding="utf-8")


def _clip(clip, values, *limits, a_min=None, a_max=None, **named):
    return clip(values, *(limits or (a_min, a_max)), **named)


def steps_of(case: shared.Case) -> dict:
    """Return logits in evaluation mode, and losses, gradient norms and updates of all steps."""
    model = model_of(case)
    inputs = jnp.asarray(images(case, 0))
    key = jax.random.PRNGKey(0)
    shapes = jax.eval_shape(lambda: model.init({"params": key}, inputs, train=False))
    variables = jax.tree_util.tree_map_with_path(partial(_first, case=case), shapes)
    params, stats = variables["params"], variables.get("batch_stats", {})
    outputs = model.apply({"params": params, "batch_stats": stats}, inputs, train=False)
    schedule, weight_decay = rate_and_decay(case)
    optimizer = optax.adamw(schedule, weight_decay=weight_decay)
    state, found = optimizer.init(params), []
    gradient_of = jax.jit(jax.value_and_grad(partial(_loss, model=model, case=case), has_aux=True))
    for step in range(shared.NUM_STEPS):
        inputs = jnp.asarray(images(case, step))
        (loss, stats), gradient = gradient_of(params, stats, inputs)
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        told = {"loss": float(loss), "grad_norm": float(optax.global_norm(gradient))}
        found.append(told | {"of": _summary(updates, case)})
    return {"outputs": _rounded(outputs), "steps": found}


def model_of(case: shared.Case):
    from audax import models

    network = getattr(models, case.arch)
    if case.arch.startswith("ResNet"):
        network = partial(network, num_filters=case.width)
    if case.arch.startswith("eff"):
        network = partial(network, drop_path_prob=0.0)
    if case.mode == "simclr":
        from src.simclr import SimCLR

        return SimCLR(network, embedding_dim=shared.EMBEDDING, dtype=jnp.float64)
    if case.mode.startswith("cola"):
        from audax.models.utils import SimilarityMeasure
        from contrastive_model import COLA

        kind = SimilarityMeasure.DOT if case.mode == "cola-dot" else SimilarityMeasure.BILINEAR
        return COLA(
            network,
            similarity_measure=kind,
            embedding_dim=shared.EMBEDDING,
            temperature=0.1,
            dtype=jnp.float64,
        )
    return models.Classifier(network, shared.NUM_CLASSES, dtype=jnp.float64)


def images(case: shared.Case, step: int) -> np.ndarray:
    """Return (time, frequency) images of one channel."""
    return shared.features(case, step).transpose(0, 2, 1)[..., None]


def _loss(params, stats, inputs, model, case):
    outputs, new = model.apply(
        {"params": params, "batch_stats": stats}, inputs, train=True, mutable=["batch_stats"]
    )
    if case.mode == "simclr":
        from src.ntxentloss import nt_xentloss

        loss = nt_xentloss(0.1, dtype=jnp.float64)(outputs, None)
    else:
        labels = shared.LABELS if case.mode == "classes" else range(len(outputs))
        targets = jax.nn.one_hot(jnp.asarray(labels), outputs.shape[1])
        loss = jnp.mean(optax.softmax_cross_entropy(outputs, targets))
    return loss, new.get("batch_stats", {})


def rate_and_decay(case: shared.Case):
    """Return the schedule and the weight decay."""
    is_supervised = case.mode == "classes"
    peak = shared.LR if is_supervised else shared.SSL_LR
    warmup = shared.WARMUP_EPOCHS * shared.EPOCH_STEPS
    falling = (shared.NUM_EPOCHS - shared.WARMUP_EPOCHS) * shared.EPOCH_STEPS
    rises = optax.linear_schedule(0.0, peak, warmup)
    schedule = optax.join_schedules([rises, optax.cosine_decay_schedule(peak, falling)], [warmup])
    return schedule, shared.WEIGHT_DECAY if is_supervised else shared.SSL_WEIGHT_DECAY


def _path(path) -> tuple[str, ...]:
    return tuple(str(entry.key) for entry in path)


def _first(path, leaf, case: shared.Case):
    """Return the shared first value of a tensor, in audax' order of axes."""
    _, *names = _path(path)
    name = shared.our_name(tuple(names), case)
    if name.endswith("similarity"):  # a form, and no kernel: the same there
        return jnp.asarray(shared.first_value(name, leaf.shape))
    shape = _turned(np.empty(leaf.shape)).shape
    return jnp.asarray(_turned(shared.first_value(name, shape)))


def _turned(value: np.ndarray) -> np.ndarray:
    """Turn a kernel around: (T, F, in, out) ↔ (out, in, F, T), (in, out) ↔ (out, in)."""
    return value.T if value.ndim in (2, 4) else value


def _summary(updates, case: shared.Case) -> dict[str, list[float]]:
    """Return norm and sum of each tensor's update, by our names."""
    found = {}
    for path, update in jax.tree_util.tree_leaves_with_path(updates):
        change = np.asarray(update).ravel()
        told = [float(np.sqrt(change @ change)), float(change.sum())]
        found[shared.our_name(_path(path), case)] = _rounded(np.array(told))
    return dict(sorted(found.items()))


def features_of() -> dict:
    """Return what its front ends make of the shared waveforms. Shape: → each (2, F, L)"""
    from audax import frontends
    from audax.feature_helper import melscale_helper, spectrogram_helper

    waves = jnp.asarray(shared.waveforms())
    spectrum = spectrogram_helper(0, 1024, 160, 400)(waves)
    mel = melscale_helper(64, 1024, 16000, 60, 7800, precision="highest")(spectrum)
    logmel = jnp.log(jnp.clip(mel, 1e-8, 1e8))
    found = {"logmel": logmel}
    for name in ("Leaf", "SincNet"):
        module = getattr(frontends, name)(dtype=jnp.float64)
        variables = module.init(jax.random.PRNGKey(0), waves)
        found[name.lower()] = module.apply(variables, waves)
    return {name: _rounded(value.transpose(0, 2, 1)) for name, value in found.items()}


def lars() -> list:
    """Return weights after each of three steps of optax' LARS, with and without Nesterov."""
    found = []
    for is_nesterov in (False, True):
        weights = shared.lars_arrays(0)
        schedule = optax.linear_schedule(5.0, 1.0, 4)
        optimizer = optax.lars(schedule, weight_decay=0.01, nesterov=is_nesterov)
        state = optimizer.init(weights)
        for step in range(1, 4):
            updates, state = optimizer.update(shared.lars_arrays(step), state, weights)
            weights = optax.apply_updates(weights, updates)
            found.append({name: _rounded(value) for name, value in weights.items()})
    return found


def rates() -> dict[str, list[float]]:
    """Return the rates of all steps of ten epochs of four steps."""
    decay = optax.exponential_decay(0.01, 36, 0.1, transition_begin=4 + 1, end_value=2e-3)
    return {"exponential": _rounded(np.array([decay(step) for step in range(40)]))}


def _rounded(values) -> list:
    """Return an array as lists of numbers of eight digits."""
    rounded = np.vectorize(lambda value: float(f"{value:.8g}"))(np.asarray(values, dtype=float))
    return rounded.tolist()


def _lines(content: dict) -> str:
    """Return JSON with a line a case, front end and list."""
    parts = []
    for key, value in content.items():
        if isinstance(value, dict):
            inner = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            parts.append(f"{json.dumps(key)}: {{\n{inner}\n}}")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
