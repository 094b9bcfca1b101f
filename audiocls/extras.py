"""The extras of `pip install 'audiocls[…]'`: what each one installs, and what needs it.

The base reads, plans and reports; it has no torch. Whatever trains or scores needs `train`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from audiocls.errors import UsageError

EXTRAS = {
    "train": ("torch", "sam"),
    "dashboards": ("wandb_workspaces",),
    "encodec": ("encodec",),
    "encoders": ("transformers", "peft"),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "mlflow": ("mlflow",),
    "notebooks": ("nbformat", "nbclient", "ipykernel"),
    "parquet": ("pyarrow",),
    "ray": ("ray",),
    "remote": ("fsspec",),
    "serve": ("starlette", "uvicorn"),
    "tensorboard": ("tensorboard",),
    "timm": ("timm",),
    "tpu": ("torch_tpu",),
}
"""Extra → the packages that it adds, by the names of their imports."""


def is_installed(extra: str) -> bool:
    """Whether all packages of an extra are there; imports none."""
    return not _missing(extra)


def require(extra: str, what: str) -> None:
    """Raise `UsageError` where an extra is not installed, for `what` needs it."""
    if missing := _missing(extra):
        raise _refusal(extra, what, missing[0])


@contextmanager
def required(what: str) -> Iterator[None]:
    """Raise `UsageError` with the extra to install where an import inside finds it missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        owner = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
        if owner is None or find_spec(package) is not None:
            raise
        raise _refusal(owner, what, package) from error


def _missing(extra: str) -> list[str]:
    return [package for package in EXTRAS[extra] if find_spec(package) is None]


def _refusal(extra: str, what: str, package: str) -> UsageError:
    needs = f"{what} needs the extra {extra!r}: pip install 'audiocls[{extra}]'"
    return UsageError(f"{needs} ({package} is not installed)")
