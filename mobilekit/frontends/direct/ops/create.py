"""New tensors that take only their shape from another one. Those that take nothing are evaluated by the walk."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import name_of, stored
from mobilekit.frontends.direct.ops.arithmetic import broadcast
from mobilekit.frontends.direct.ops.cast import cast
from mobilekit.frontends.direct.registry import lowers
from mobilekit.frontends.direct.values import Value, identity_order


def filled(b: Builder, number: Any) -> Value:
    """A constant of the shape and dtype that PyTorch gives here."""
    dtype = name_of(b.expected.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        one = np.array(number).astype(stored(dtype))  # an integer that does not fit wraps, as it does in PyTorch
    return b.constant_value(np.full(tuple(b.expected.shape), one), dtype=dtype)


@lowers("aten.zeros_like.default", "aten.new_zeros.default", "aten.empty_like.default", "aten.new_empty.default")
def lower_zeros(b: Builder, *arguments: Any) -> Value:
    """Empty memory holds anything; zeros are as good."""
    return filled(b, 0)


@lowers("aten.new_empty_strided.default", "aten.zero.default")
def lower_zeros_too(b: Builder, *arguments: Any) -> Value:
    return filled(b, 0)


@lowers("aten.ones_like.default", "aten.new_ones.default")
def lower_ones(b: Builder, *arguments: Any) -> Value:
    return filled(b, 1)


@lowers("aten.full_like.default", "aten.fill.Scalar")
def lower_full_like(b: Builder, x: Value, number: Any, *options: Any) -> Value:
    return filled(b, number)


@lowers("aten.new_full.default")
def lower_new_full(b: Builder, x: Value, size: Any, number: Any, *options: Any) -> Value:
    return filled(b, number)


@lowers("aten.fill.Tensor")
def lower_fill_tensor(b: Builder, x: Value, number: Value) -> Value:
    dtype = x.dtype
    return Value(broadcast(b, cast(b, number, dtype).tensor, x.shape), identity_order(x.rank), dtype)


@lowers("aten.copy.default")
def lower_copy(b: Builder, x: Value, source: Value, non_blocking: bool) -> Value:
    """``x`` overwritten: the source in the shape and dtype of ``x``."""
    (_, tensor), order = b.align([x, cast(b, source, x.dtype)])
    return Value(broadcast(b, tensor, tuple(x.shape[axis] for axis in order)), order, x.dtype)


@lowers("aten.sym_size.int")
def lower_sym_size(b: Builder, x: Value, dim: int) -> int:
    return x.shape[dim]


@lowers("aten.sym_numel.default")
def lower_sym_numel(b: Builder, x: Value) -> int:
    return x.tensor.size


@lowers("aten.scalar_tensor.default", "aten.lift_fresh.default", "aten.lift.default")
def lower_lift(b: Builder, x: Value, *options: Any) -> Value:
    return x
