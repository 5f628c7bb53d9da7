"""Hard-swish in ops that every accelerator has."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mobilekit.frontends.direct.rewrites.base import Rewrite


def _replacement(x: torch.Tensor) -> torch.Tensor:
    return x * (F.relu6(x + 3.0) * (1.0 / 6.0))


REWRITE = Rewrite(
    name="hardswish_relu6",
    op="aten.hardswish.default",
    formula="x (relu6(x + 3) / 6)",
    why="Edge TPU refuses HARD_SWISH",
    error=0.0,
    replacement=_replacement,
)
