"""Leaky ReLU as a maximum, for slopes between zero and one."""

from __future__ import annotations

import torch

from mobilekit.frontends.direct.rewrites.base import Rewrite


def _replacement(x: torch.Tensor, slope: float) -> torch.Tensor:
    return torch.maximum(x, x * slope)


def _applies(x: torch.Tensor, slope: float) -> bool:
    return 0 <= slope <= 1


REWRITE = Rewrite(
    name="leaky_relu_max",
    op="aten.leaky_relu.default",
    formula="max(x, a x), for 0 <= a <= 1",
    why="Core ML, Edge TPU and Hexagon refuse LEAKY_RELU",
    error=0.0,
    replacement=_replacement,
    applies=_applies,
)
