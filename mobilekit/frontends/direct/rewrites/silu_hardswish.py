"""SiLU as hard-swish: no exponential, one op of its own."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mobilekit.frontends.direct.rewrites.base import Rewrite


def _replacement(x: torch.Tensor) -> torch.Tensor:
    return F.hardswish(x)


REWRITE = Rewrite(
    name="silu_hardswish",
    op="aten.silu.default",
    formula="x relu6(x + 3) / 6",
    why="one HARD_SWISH instead of LOGISTIC and MUL; large, so train with it or measure the task",
    error=1.43e-1,  # at |x| = 3
    replacement=_replacement,
)
