"""GELU in its tanh form, without TFLite's GELU op."""

from __future__ import annotations

import math

import torch

from mobilekit.frontends.direct.rewrites.base import Rewrite


def _replacement(x: torch.Tensor, approximate: str) -> torch.Tensor:
    # Source: torch.nn.GELU's documentation. Factored, so that it takes one product less than as written there.
    inner = x * (x * x * (0.044715 * math.sqrt(2 / math.pi)) + math.sqrt(2 / math.pi))
    return x * (torch.tanh(inner) * 0.5 + 0.5)


REWRITE = Rewrite(
    name="gelu_tanh",
    op="aten.gelu.default",
    formula="x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2",
    why="NNAPI, Core ML, Edge TPU and Hexagon refuse GELU, and runtimes before 2.10 lack it",
    error=4.74e-4,  # against the erf form; nothing against a GELU that is of the tanh form already
    replacement=_replacement,
)
