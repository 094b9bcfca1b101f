"""Gives each process of a trial's program a W&B folder of its own; Python imports it at its start.

W&B names the folder of a run by second and id, and all processes of a program have one id: ranks
that begin together would write one file, and all but one of them lose what they log. Nothing else
changes for the program. It may run in any Python, so this imports none of ours; another
`sitecustomize` that it would shadow is run after it.
"""

import importlib.util
import os
import sys
from importlib.machinery import PathFinder

RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "LOCAL_RANK", "SLURM_PROCID")


def name_folder() -> None:
    """Add rank and process to the folder's name, except in the one process of a plain program."""
    rank = next((os.environ[name] for name in RANKS if os.environ.get(name)), "")
    if rank or os.getpid() != os.getpgid(0):
        who = "rank" + rank if rank else "process"
        os.environ["WANDB__SYNC_DIR_SUFFIX"] = who + "-" + str(os.getpid())


def run_shadowed() -> None:
    """Run the `sitecustomize` that Python would have imported, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


name_folder()
os.register_at_fork(after_in_child=name_folder)
run_shadowed()
