"""Ray Tune as an arm of `gpu.py`: a function that trains a trial from its data to its end."""

import logging
import os
import tempfile
import time

import ray
from gpu_trials import CNN, Workbench
from ray import tune

from audiocls.training.fit import EpochEnd, Signal, fit


def tuned_clips_per_s(bench: Workbench, num_trials: int, num_epochs: int) -> float:
    """Return the clips a second of all trials at once, each on its share of the device."""
    device, is_small, cache = bench.device.type, bench.is_small, str(bench.cache.cache)
    is_gpu = device == "cuda"

    def train(config: dict[str, int]) -> None:
        os.environ["AUDIOCLS_CACHE"] = cache
        with Workbench.opened(device, is_small) as own:
            state = own.of_recipe("logmel-cnn", {**CNN, "seed": config["seed"]})

            def end(epoch: EpochEnd) -> Signal:
                return Signal.STOP if epoch.row["epoch"] >= num_epochs else Signal.CONTINUE

            tune.report({"samples": fit(state, end).samples})

    ray.init("local", include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    share = {"cpu": 1, "gpu": 1 / num_trials} if is_gpu else {"cpu": 1}
    with tempfile.TemporaryDirectory(prefix="audiocls-tune-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(train, share),
            param_space={"seed": tune.grid_search(list(range(num_trials)))},
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        started = time.monotonic()
        results = tuner.fit()
        passed = time.monotonic() - started
    ray.shutdown()
    assert not results.errors, results.errors
    return sum(float(each.metrics["samples"]) for each in results if each.metrics) / passed
