"""What a rewrite is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _always(*arguments: Any) -> bool:
    return True


@dataclass(frozen=True)
class Rewrite:
    """One ATen op said in other ops, because a phone's accelerator or an old runtime refuses it.

    ``replacement`` takes the op's arguments (all of the schema, defaults filled in) and computes in PyTorch what stands
    in the op's place. ``error`` is the largest |replacement - op| over all real inputs, 0 where they are equal in real
    numbers; ``tests/frontends/direct/rewrites`` measures it in float64.
    """

    name: str
    op: str
    """The overload, e.g. ``aten.gelu.default``; its in-place twin is rewritten too."""
    formula: str
    """What stands in its place, in a formula."""
    why: str
    error: float
    replacement: Callable[..., Any]
    applies: Callable[..., bool] = _always
    """Whether a call with these arguments is rewritten."""
