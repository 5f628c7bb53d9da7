"""What TFLite's padding modes mean in zeros."""

from __future__ import annotations


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after that SAME means along one axis: the smaller half first.

    Source: TFLite ``kernels/padding.h``, ComputePaddingWithOffset.
    """
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2
