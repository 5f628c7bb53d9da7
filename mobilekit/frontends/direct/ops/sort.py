"""Sorting and searching. TFLite sorts with TOPK_V2: descending, along the last stored axis, equals in their order."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import is_float
from mobilekit.frontends.direct.ops.cast import for_arithmetic, from_arithmetic
from mobilekit.frontends.direct.ops.compare import compare
from mobilekit.frontends.direct.ops.index import lower_gather
from mobilekit.frontends.direct.ops.join import lower_select
from mobilekit.frontends.direct.ops.reduce import reduce_value
from mobilekit.frontends.direct.ops.shape import reshape_value
from mobilekit.frontends.direct.registry import lowers
from mobilekit.frontends.direct.values import Value
from mobilekit.graph.ir import Tensor


def largest(b: Builder, x: Value, k: int, dim: int, descending: bool) -> tuple[Value, Value]:
    """The ``k`` first elements of the sorted axis and where they stood, stored with that axis last."""
    if x.rank == 0:
        return x, b.value(b.constant(np.array(0, np.int32)), dtype="int64")
    moved = b.last(x, dim)
    number = for_arithmetic(b, moved)
    key = number if descending else _reversed(b, number, is_float(x.dtype))
    shape = (*number.shape[:-1], k)
    count = b.constant(np.array(k, np.int32))
    values, indices = b.emit_many("TOPK_V2", [key, count], [shape, shape], [number.dtype, "int32"])
    if not descending:
        values = _reversed(b, values, is_float(x.dtype))
    return from_arithmetic(b, values, moved), Value(indices, moved.order, "int64")


def _reversed(b: Builder, tensor: Tensor, floats: bool) -> Tensor:
    """A key that sorts the other way round; its own inverse. -x, or for integers -1 - x, which cannot overflow."""
    if floats:
        return b.emit("NEG", [tensor], tensor.shape)
    return b.emit("SUB", [b.scalar(-1, "int32"), tensor], tensor.shape, fused_activation_function="NONE")


@lowers("aten.sort.default")
def lower_sort(b: Builder, x: Value, dim: int, descending: bool) -> tuple[Value, Value]:
    return largest(b, x, x.shape[dim] if x.rank else 1, dim, descending)


@lowers("aten.sort.stable")
def lower_sort_stable(b: Builder, x: Value, stable: Any, dim: int, descending: bool) -> tuple[Value, Value]:
    return lower_sort(b, x, dim, descending)


@lowers("aten.argsort.default")
def lower_argsort(b: Builder, x: Value, dim: int, descending: bool) -> Value:
    return lower_sort(b, x, dim, descending)[1]


@lowers("aten.argsort.stable")
def lower_argsort_stable(b: Builder, x: Value, stable: bool, dim: int, descending: bool) -> Value:
    return lower_sort(b, x, dim, descending)[1]


@lowers("aten.msort.default")
def lower_msort(b: Builder, x: Value) -> Value:
    return lower_sort(b, x, 0, False)[0]


@lowers("aten.topk.default")
def lower_topk(b: Builder, x: Value, k: int, dim: int, biggest: bool, in_order: bool) -> tuple[Value, Value]:
    """Always in order: PyTorch leaves the order open when ``sorted`` is False."""
    return largest(b, x, k, dim, biggest)


@lowers("aten.kthvalue.default")
def lower_kthvalue(b: Builder, x: Value, k: int, dim: int, keepdim: bool) -> tuple[Value, Value]:
    if x.rank == 0:
        return largest(b, x, 1, 0, False)
    values, indices = largest(b, x, k, dim, False)
    found = [lower_select(b, part, dim, k - 1) for part in (values, indices)]
    if keepdim:
        shape = [1 if axis == dim % x.rank else size for axis, size in enumerate(x.shape)]
        found = [reshape_value(b, part, shape) for part in found]
    return found[0], found[1]


@lowers("aten.median.dim")
def lower_median_dim(b: Builder, x: Value, dim: int, keepdim: bool) -> tuple[Value, Value]:
    """The lower one of the two in the middle, as PyTorch has it."""
    return lower_kthvalue(b, x, (x.shape[dim] + 1) // 2 if x.rank else 1, dim, keepdim)


@lowers("aten.median.default")
def lower_median(b: Builder, x: Value) -> Value:
    return lower_median_dim(b, reshape_value(b, x, (x.tensor.size,)), 0, False)[0]


@lowers("aten.searchsorted.Tensor", "aten.searchsorted.Scalar")
def lower_searchsorted(
    b: Builder, sequence: Value, x: Any, out_int32: bool, right: bool, side: str | None, sorter: Value | None
) -> Value:
    """How many elements of the sequence lie below: all pairs compared and counted, exact for any sequence."""
    if sorter is not None:
        sequence = lower_gather(b, sequence, -1, sorter, False)
    after = right or side == "right"
    wanted = x if isinstance(x, Value) else Value(b.scalar(x, sequence.tensor.dtype), (), sequence.dtype)
    column = reshape_value(b, wanted, (*wanted.shape, 1))
    row = sequence if sequence.rank == 1 else reshape_value(b, sequence, (*sequence.shape[:-1], 1, sequence.shape[-1]))
    below = compare(b, "LESS_EQUAL" if after else "LESS", row, column)
    counts = b.emit("CAST", [below.tensor], below.tensor.shape, "int32", in_data_type="bool", out_data_type="int32")
    total = reduce_value(b, "SUM", Value(counts, below.order, "int32"), [-1], False)
    return Value(total.tensor, total.order, "int32" if out_int32 else "int64")


@lowers("aten.bucketize.Tensor", "aten.bucketize.Scalar")
def lower_bucketize(b: Builder, x: Any, boundaries: Value, out_int32: bool, right: bool) -> Value:
    return lower_searchsorted(b, boundaries, x, out_int32, right, None, None)
