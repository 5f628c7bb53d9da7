"""Reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, drop_axes
from mobilekit.graph.ir import Tensor


def mean_over(b: Builder, tensor: Tensor, axes: Sequence[int]) -> Tensor:
    """The mean over stored ``axes``, kept as ones."""
    return _reduce(b, "MEAN", tensor, axes)


def _reduce(b: Builder, kind: str, tensor: Tensor, axes: Sequence[int]) -> Tensor:
    ordered = sorted(axes)
    shape = [1 if axis in ordered else size for axis, size in enumerate(tensor.shape)]
    return b.emit(kind, [tensor, b.constant(np.array(ordered, np.int32))], shape, keep_dims=True)


def reduce_value(b: Builder, kind: str, x: Value, dims: Any, keepdim: bool) -> Value:
    """A reduction over PyTorch's axes ``dims`` (None or empty: all of them)."""
    if x.rank == 0:
        return x
    wanted = [dims] if isinstance(dims, int) else list(dims or range(x.rank))
    logical = sorted({dim % x.rank for dim in wanted})
    out = _reduce(b, kind, x.tensor, x.axes(logical))
    if keepdim:
        return Value(out, x.order, x.dtype)
    order = drop_axes(x.order, logical)
    shape = [size for axis, size in enumerate(out.shape) if x.order[axis] not in logical]
    return Value(b.reshape(out, shape), order, x.dtype)


@lowers("aten.mean.dim")
def lower_mean(b: Builder, x: Value, dims: Any, keepdim: bool, dtype: Any) -> Value:
    _float_only(x, "mean")
    return reduce_value(b, "MEAN", x, dims, keepdim)


@lowers("aten.mean.default")
def lower_mean_all(b: Builder, x: Value, dtype: Any) -> Value:
    _float_only(x, "mean")
    return reduce_value(b, "MEAN", x, None, False)


@lowers("aten.sum.dim_IntList")
def lower_sum(b: Builder, x: Value, dims: Any, keepdim: bool, dtype: Any) -> Value:
    _float_only(x, "sum")
    return reduce_value(b, "SUM", x, dims, keepdim)


@lowers("aten.amax.default")
def lower_amax(b: Builder, x: Value, dims: Any, keepdim: bool) -> Value:
    return reduce_value(b, "REDUCE_MAX", x, dims, keepdim)


@lowers("aten.amin.default")
def lower_amin(b: Builder, x: Value, dims: Any, keepdim: bool) -> Value:
    return reduce_value(b, "REDUCE_MIN", x, dims, keepdim)


def _float_only(x: Value, name: str) -> None:
    if not x.dtype.startswith("float"):
        raise UnsupportedError(f"{name} of {x.dtype}")
