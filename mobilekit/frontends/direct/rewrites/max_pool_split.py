"""A wide max pool of stride 1 as a chain of 5 x 5 and 3 x 3 ones, as in the SPP blocks of detectors.

Given    max_pool 13 x 13, padding 6
Result   max_pool 5 x 5, padding 2, three times

Equal to the bit, edges included: each window of the chain reads all pixels that the wide one reads there and no others.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from mobilekit.frontends.direct.rewrites.base import Rewrite

_WIDEST = 5


def _pair(numbers: Sequence[int] | int) -> tuple[int, int]:
    listed = [numbers] if isinstance(numbers, int) else list(numbers)
    return (listed[0], listed[-1])


def _replacement(
    x: torch.Tensor,
    kernel: Sequence[int] | int,
    stride: Sequence[int] | int,
    padding: Sequence[int] | int,
    dilation: Sequence[int] | int,
    ceil_mode: bool,
) -> torch.Tensor:
    left = _pair(kernel)[0]
    while left > 1:
        size = min(left, _WIDEST)
        x = F.max_pool2d(x, size, 1, size // 2)
        left -= size - 1
    return x


def _applies(
    x: torch.Tensor,
    kernel: Sequence[int] | int,
    stride: Sequence[int] | int,
    padding: Sequence[int] | int,
    dilation: Sequence[int] | int,
    ceil_mode: bool,
) -> bool:
    """Square, odd, as large a result as the input is, and wider than what it is split into."""
    size = _pair(kernel)[0]
    return (
        _pair(kernel) == (size, size)
        and size % 2 == 1
        and size > _WIDEST
        and bool(stride)
        and _pair(stride) == (1, 1)
        and _pair(padding) == (size // 2, size // 2)
        and _pair(dilation) == (1, 1)
    )


REWRITE = Rewrite(
    name="max_pool_split",
    op="aten.max_pool2d.default",
    formula="5 x 5 and 3 x 3 pools in a chain, for odd square windows of stride 1",
    why="windows that are too wide for an accelerator; 75 comparisons a pixel instead of 169 at 13 x 13",
    error=0.0,
    replacement=_replacement,
    applies=_applies,
)
