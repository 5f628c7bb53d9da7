"""Sigmoid as hard-sigmoid: a ramp instead of an exponential."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mobilekit.frontends.direct.rewrites.base import Rewrite


def _replacement(x: torch.Tensor) -> torch.Tensor:
    return F.hardsigmoid(x)


REWRITE = Rewrite(
    name="sigmoid_hardsigmoid",
    op="aten.sigmoid.default",
    formula="relu6(x + 3) / 6",
    why="no exponential: gates of squeeze-and-excite blocks on integer-only accelerators",
    error=6.93e-2,
    replacement=_replacement,
)
