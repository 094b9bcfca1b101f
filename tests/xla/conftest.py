"""XLA on the CPU: jax, and torchax, which runs torch's operations on jax arrays."""

import os

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"  # draws are words of 64 bits

from typing import Any

import jax
import jax.numpy as jnp
import torch
import torchax
from torchax.ops import ops_registry


def _reinterpreted(words: Any, dtype: torch.dtype) -> Any:
    """Return the bits of (…, N) as (…, N · ratio) numbers of a smaller type, as XLA itself does."""
    narrow = jax.lax.bitcast_convert_type(words, torchax.ops.mappings.t2j_dtype(dtype))
    return jnp.reshape(narrow, (*words.shape[:-1], -1))


# The one operation of ours that torchax 0.0.13 lacks.
ops_registry.register_torch_dispatch_op(torch.ops.aten.view.dtype, _reinterpreted)
