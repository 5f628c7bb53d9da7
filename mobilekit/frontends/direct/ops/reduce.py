"""Reductions with one TFLite op: sum, mean, product, extremes and their positions, any, all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import is_float, name_of
from mobilekit.frontends.direct.ops.cast import cast, for_arithmetic, from_arithmetic
from mobilekit.frontends.direct.registry import lowers
from mobilekit.frontends.direct.values import Value, drop_axes
from mobilekit.graph.ir import Tensor


def mean_over(b: Builder, tensor: Tensor, axes: Sequence[int]) -> Tensor:
    """The mean over stored ``axes``, kept as ones."""
    return _reduce(b, "MEAN", tensor, axes)


def _reduce(b: Builder, kind: str, tensor: Tensor, axes: Sequence[int]) -> Tensor:
    ordered = sorted(axes)
    shape = [1 if axis in ordered else size for axis, size in enumerate(tensor.shape)]
    return b.emit(kind, [tensor, b.constant(np.array(ordered, np.int32))], shape, keep_dims=True)


def reduced_dims(x: Value, dims: Any) -> list[int]:
    """PyTorch's axes to reduce over, ascending; None or an empty list means all of them."""
    wanted = [dims] if isinstance(dims, int) else list(dims if dims else range(x.rank))
    return sorted({dim % x.rank for dim in wanted}) if x.rank else []


def reduce_value(b: Builder, kind: str, x: Value, dims: Any, keepdim: bool) -> Value:
    """A reduction over PyTorch's axes ``dims`` (None or empty: all of them), in the dtype of ``x``."""
    logical = reduced_dims(x, dims)
    if not logical:
        return x
    out = _reduce(b, kind, x.tensor, x.axes(logical))
    return drop_dims(b, Value(out, x.order, x.dtype), [] if keepdim else logical)


def drop_dims(b: Builder, x: Value, dims: Sequence[int]) -> Value:
    """Without PyTorch's axes ``dims``, all of size one."""
    if not dims:
        return x
    shape = [size for axis, size in enumerate(x.tensor.shape) if x.order[axis] not in dims]
    return Value(b.reshape(x.tensor, shape), drop_axes(x.order, dims), x.dtype)


def reduce_numbers(b: Builder, kind: str, x: Value, dims: Any, keepdim: bool) -> Value:
    """:func:`reduce_value` for any dtype: 8 and 16 bit integers go through int32."""
    number = Value(for_arithmetic(b, x), x.order, x.dtype)
    reduced = reduce_value(b, kind, number, dims, keepdim)
    return from_arithmetic(b, reduced.tensor, reduced)


def _accumulated(b: Builder, x: Value, dtype: Any) -> Value:
    """Sums and products of integers are int64 in PyTorch (held as int32 here)."""
    if dtype is not None:
        return cast(b, x, name_of(dtype))
    return x if is_float(x.dtype) else cast(b, x, "int64")


@lowers("aten.sum.dim_IntList")
def lower_sum(b: Builder, x: Value, dims: Any, keepdim: bool, dtype: Any) -> Value:
    return reduce_value(b, "SUM", _accumulated(b, x, dtype), dims, keepdim)


@lowers("aten.sum.default")
def lower_sum_all(b: Builder, x: Value, dtype: Any) -> Value:
    return lower_sum(b, x, None, False, dtype)


@lowers("aten.mean.dim")
def lower_mean(b: Builder, x: Value, dims: Any, keepdim: bool, dtype: Any) -> Value:
    return reduce_value(b, "MEAN", x if dtype is None else cast(b, x, name_of(dtype)), dims, keepdim)


@lowers("aten.mean.default")
def lower_mean_all(b: Builder, x: Value, dtype: Any) -> Value:
    return lower_mean(b, x, None, False, dtype)


@lowers("aten.prod.dim_int")
def lower_prod(b: Builder, x: Value, dim: int, keepdim: bool, dtype: Any) -> Value:
    return reduce_value(b, "REDUCE_PROD", _accumulated(b, x, dtype), dim, keepdim)


@lowers("aten.prod.default")
def lower_prod_all(b: Builder, x: Value, dtype: Any) -> Value:
    return reduce_value(b, "REDUCE_PROD", _accumulated(b, x, dtype), None, False)


# -- extremes --------------------------------------------------------------------------------------------------


def extreme(b: Builder, kind: str, x: Value, dims: Any, keepdim: bool) -> Value:
    """REDUCE_MAX or REDUCE_MIN; on bool they are any and all."""
    if x.dtype == "bool":
        return reduce_value(b, "REDUCE_ANY" if kind == "REDUCE_MAX" else "REDUCE_ALL", x, dims, keepdim)
    return reduce_numbers(b, kind, x, dims, keepdim)


@lowers("aten.amax.default")
def lower_amax(b: Builder, x: Value, dims: Any, keepdim: bool) -> Value:
    return extreme(b, "REDUCE_MAX", x, dims, keepdim)


@lowers("aten.amin.default")
def lower_amin(b: Builder, x: Value, dims: Any, keepdim: bool) -> Value:
    return extreme(b, "REDUCE_MIN", x, dims, keepdim)


@lowers("aten.max.default")
def lower_max(b: Builder, x: Value) -> Value:
    return extreme(b, "REDUCE_MAX", x, None, False)


@lowers("aten.min.default")
def lower_min(b: Builder, x: Value) -> Value:
    return extreme(b, "REDUCE_MIN", x, None, False)


@lowers("aten.aminmax.default")
def lower_aminmax(b: Builder, x: Value, dim: int | None, keepdim: bool) -> tuple[Value, Value]:
    return extreme(b, "REDUCE_MIN", x, dim, keepdim), extreme(b, "REDUCE_MAX", x, dim, keepdim)


@lowers("aten.max.dim")
def lower_max_dim(b: Builder, x: Value, dim: int, keepdim: bool) -> tuple[Value, Value]:
    return extreme(b, "REDUCE_MAX", x, dim, keepdim), _position(b, "ARG_MAX", x, dim, keepdim)


@lowers("aten.min.dim")
def lower_min_dim(b: Builder, x: Value, dim: int, keepdim: bool) -> tuple[Value, Value]:
    return extreme(b, "REDUCE_MIN", x, dim, keepdim), _position(b, "ARG_MIN", x, dim, keepdim)


@lowers("aten.argmax.default")
def lower_argmax(b: Builder, x: Value, dim: int | None, keepdim: bool) -> Value:
    return _position(b, "ARG_MAX", x, dim, keepdim)


@lowers("aten.argmin.default")
def lower_argmin(b: Builder, x: Value, dim: int | None, keepdim: bool) -> Value:
    return _position(b, "ARG_MIN", x, dim, keepdim)


def _position(b: Builder, kind: str, x: Value, dim: int | None, keepdim: bool) -> Value:
    """Where the extreme lies: the first of equals, in TFLite as in PyTorch. Without a dim, in the flattened tensor."""
    number = for_arithmetic(b, x)
    if dim is None or x.rank == 0:
        flat = b.reshape(b.logical(Value(number, x.order, x.dtype)), (x.tensor.size,))
        found = b.emit(kind, [flat, b.constant(np.array(0, np.int32))], (), "int32", output_type="int32")
        ones = (1,) * x.rank if keepdim else ()
        return b.value(b.reshape(found, ones), dtype="int64")
    axis = x.axis(dim)
    shape = [size for i, size in enumerate(x.tensor.shape) if i != axis]
    found = b.emit(kind, [number, b.constant(np.array(axis, np.int32))], shape, "int32", output_type="int32")
    if not keepdim:
        return Value(found, drop_axes(x.order, [dim % x.rank]), "int64")
    shape.insert(axis, 1)
    return Value(b.reshape(found, shape), x.order, "int64")


# -- logic -----------------------------------------------------------------------------------------------------


def _logical(b: Builder, kind: str, x: Value, dims: Any, keepdim: bool) -> Value:
    out = reduce_value(b, kind, cast(b, x, "bool"), dims, keepdim)
    return cast(b, out, "uint8") if x.dtype == "uint8" else out  # PyTorch's one exception


def _register_logical(op: str, kind: str) -> None:
    @lowers(f"aten.{op}.default")
    def lower_all_axes(b: Builder, x: Value) -> Value:
        return _logical(b, kind, x, None, False)

    @lowers(f"aten.{op}.dim")
    def lower_axis(b: Builder, x: Value, dim: int, keepdim: bool) -> Value:
        return _logical(b, kind, x, dim, keepdim)

    @lowers(f"aten.{op}.dims")
    def lower_axes(b: Builder, x: Value, dims: Any, keepdim: bool) -> Value:
        return _logical(b, kind, x, dims, keepdim)


_register_logical("any", "REDUCE_ANY")
_register_logical("all", "REDUCE_ALL")


@lowers("aten.count_nonzero.default", "aten.count_nonzero.dim_IntList")
def lower_count_nonzero(b: Builder, x: Value, dims: Any) -> Value:
    return reduce_value(b, "SUM", cast(b, cast(b, x, "bool"), "int64"), dims, False)
