"""A value of the captured program: a tensor of the graph, and how its axes are ordered.

PyTorch reasons in its own axis order (NCHW); the graph stores images channels last. Instead of transposing, every value
carries ``order``: axis i of the stored tensor is axis ``order[i]`` of the tensor that PyTorch sees. A permute in the
model then costs nothing, and a TRANSPOSE is only made where two orders really meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobilekit.graph.ir import Tensor

Order = tuple[int, ...]


def identity_order(rank: int) -> Order:
    return tuple(range(rank))


def channels_last_order(rank: int) -> Order:
    """(0, 2, 3, 1) for rank 4: batch first, then space, then channels (PyTorch's axis 1)."""
    return (0, *range(2, rank), 1) if rank >= 3 else identity_order(rank)


@dataclass(frozen=True, eq=False)
class Value:
    """One tensor of the captured program."""

    tensor: Tensor
    order: Order
    dtype: str
    """The dtype PyTorch sees; ``tensor.dtype`` is what the file holds (int64 may be held as int32)."""

    @property
    def rank(self) -> int:
        return len(self.order)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that PyTorch sees."""
        shape = [0] * len(self.order)
        for stored, logical in enumerate(self.order):
            shape[logical] = self.tensor.shape[stored]
        return tuple(shape)

    @property
    def is_constant(self) -> bool:
        return self.tensor.is_constant

    def axis(self, dim: int) -> int:
        """Where PyTorch's axis ``dim`` (negative counts from the end) is stored."""
        return self.order.index(dim % self.rank if self.rank else 0)

    def axes(self, dims: Sequence[int]) -> list[int]:
        return [self.axis(dim) for dim in dims]


def permuted(shape: Sequence[int], order: Order) -> tuple[int, ...]:
    """The stored shape of a tensor that PyTorch sees as ``shape``."""
    return tuple(shape[logical] for logical in order)


def moves_only_ones(shape: Sequence[int], permutation: Sequence[int]) -> bool:
    """Whether permuting a tensor of ``shape`` leaves its bytes in place, since only axes of size one move."""
    kept = [axis for axis in permutation if shape[axis] != 1]
    return kept == sorted(kept)


def drop_axes(order: Order, dropped: Sequence[int]) -> Order:
    """``order`` without PyTorch's axes ``dropped``, the remaining ones renumbered."""
    gone = set(dropped)
    return tuple(axis - sum(d < axis for d in gone) for axis in order if axis not in gone)
