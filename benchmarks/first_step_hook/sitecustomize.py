"""Writes when the first optimiser step of any process was taken, as `$FIRST_STEP` names the file.

Python imports this before a program, whichever it is: so all arms of `peers.py` are timed alike.
"""

import os
import sys
import time
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.util import find_spec


class _AfterOptimizer(MetaPathFinder):
    """Registers the hook as soon as torch's optimisers have been imported."""

    def find_spec(self, name, path=None, target=None):
        if name != "torch.optim.optimizer":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            module.register_optimizer_step_post_hook(_note)

        spec.loader.exec_module = exec_module
        return spec


def _note(*_):
    if os.path.exists(os.environ["FIRST_STEP"]):  # noqa: PTH110  (before anything is imported)
        return
    # Unless the process of another trial was first.
    with suppress(FileExistsError), open(os.environ["FIRST_STEP"], "x") as file:  # noqa: PTH123
        file.write(str(time.time()))


if "FIRST_STEP" in os.environ:
    sys.meta_path.insert(0, _AfterOptimizer())
