"""Torch's optimisers without the decorators by which they keep out of `torch.compile`.

In a process that compiles nothing these import the compiler all the same, some 800 modules, before
the first step: most of a second of CPU time. What they decorate computes as before, to the bit.
"""

from inspect import unwrap

import torch


class Optimizer(torch.optim.Optimizer):
    """`torch.optim.Optimizer`, to which weights are given without the compiler."""

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)


class Adam(Optimizer, torch.optim.Adam):
    """`torch.optim.Adam`."""

    step = torch.no_grad()(unwrap(torch.optim.Adam.step))


class AdamW(Optimizer, torch.optim.AdamW):
    """`torch.optim.AdamW`."""

    step = torch.no_grad()(unwrap(torch.optim.AdamW.step))


class SGD(Optimizer, torch.optim.SGD):
    """`torch.optim.SGD`."""

    step = torch.no_grad()(unwrap(torch.optim.SGD.step))
