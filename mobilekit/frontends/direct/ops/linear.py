"""Linear layers and matrix products of any ranks."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import is_float, promote
from mobilekit.frontends.direct.ops.arithmetic import binary
from mobilekit.frontends.direct.ops.cast import cast
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, identity_order
from mobilekit.graph.ir import Tensor


def transposed(x: Value) -> Value:
    """The last two axes exchanged; nothing moves."""
    swap = {x.rank - 1: x.rank - 2, x.rank - 2: x.rank - 1}
    return Value(x.tensor, tuple(swap.get(axis, axis) for axis in x.order), x.dtype)


@lowers("aten.linear.default")
def lower_linear(b: Builder, x: Value, weight: Value, bias: Value | None) -> Value:
    if not weight.is_constant or weight.rank != 2 or not is_float(x.dtype):
        product = matmul(b, x, transposed(weight) if weight.rank == 2 else weight)
        return product if bias is None else binary(b, "ADD", product, bias)
    rows = b.last(x, -1)
    fused = bias is not None and bias.is_constant and bias.rank == 1
    offset = bias.tensor if fused and bias is not None else None
    out = Value(_fully_connected(b, rows.tensor, b.logical(weight), offset), rows.order, x.dtype)
    return out if fused or bias is None else binary(b, "ADD", out, bias)


def _fully_connected(b: Builder, rows: Tensor, filters: Tensor, bias: Tensor | None) -> Tensor:
    """[..., in] times [out, in] -> [..., out]. The bias is always given: delegates refuse op version 6 (without)."""
    features = filters.shape[0]
    offset = bias if bias is not None else b.constant(np.zeros(features, np.float32))
    if rows.rank == 1:
        wide = _fully_connected(b, b.reshape(rows, (1, rows.shape[0])), filters, offset)
        return b.reshape(wide, (features,))
    return b.emit(
        "FULLY_CONNECTED",
        [rows, filters, offset],
        (*rows.shape[:-1], features),
        fused_activation_function="NONE",
        keep_num_dims=rows.rank > 2,
    )


@lowers("aten.mm.default", "aten.bmm.default", "aten.matmul.default")
def lower_matmul(b: Builder, x: Value, y: Value) -> Value:
    return matmul(b, x, y)


@lowers("aten.mv.default", "aten.dot.default", "aten.vdot.default")
def lower_mv(b: Builder, x: Value, y: Value) -> Value:
    return matmul(b, x, y)


def matmul(b: Builder, x: Value, y: Value) -> Value:
    """A constant right operand of rank two becomes FULLY_CONNECTED, everything else BATCH_MATMUL."""
    if not is_float(x.dtype) or x.dtype != y.dtype:
        raise UnsupportedError(f"a matrix product of {x.dtype} and {y.dtype}", "cast both with .float() first")
    if x.rank < 2 or y.rank < 2:
        return _vector_matmul(b, x, y)
    if y.is_constant and y.rank == 2:
        rows = b.last(x, -1)
        return Value(_fully_connected(b, rows.tensor, b.reorder(y, (1, 0)).tensor, None), rows.order, x.dtype)
    # A right operand stored transposed stays so: kernels and XNNPACK take adj_y, and few delegates take adj_x.
    batch_axes = identity_order(y.rank)[:-2]
    adjoint = y.order == (*batch_axes, y.rank - 1, y.rank - 2) and min(y.shape[-2:]) > 1
    left, right = b.logical(x), y.tensor if adjoint else b.logical(y)
    rank = max(left.rank, right.rank)
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    shape = (*batch, x.shape[-2], y.shape[-1])
    left = b.reshape(left, (1,) * (rank - left.rank) + left.shape)
    right = b.reshape(right, (1,) * (rank - right.rank) + right.shape)
    if rank > 4:
        left, right, shape = _flat_batches(b, left, right, shape)
    out = b.emit("BATCH_MATMUL", [left, right], shape, adj_x=False, adj_y=adjoint)
    return b.value(b.reshape(out, (*batch, x.shape[-2], y.shape[-1])), dtype=x.dtype)


def _flat_batches(
    b: Builder, left: Tensor, right: Tensor, shape: tuple[int, ...]
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """BATCH_MATMUL takes rank five at most, delegates four: all batch axes as one, where both operands have them."""
    if left.shape[:-2] != right.shape[:-2]:
        if left.rank > 5:
            raise UnsupportedError("a matrix product of more than five axes that broadcasts", "expand both operands")
        return left, right, shape
    size = int(np.prod(left.shape[:-2]))
    flat = [b.reshape(operand, (size, *operand.shape[-2:])) for operand in (left, right)]
    return flat[0], flat[1], (size, *shape[-2:])


def _vector_matmul(b: Builder, x: Value, y: Value) -> Value:
    """PyTorch adds an axis of one to a vector operand and drops it from the result."""
    left, right = b.logical(x), b.logical(y)
    wide_left = b.reshape(left, (1, *left.shape)) if x.rank == 1 else left
    wide_right = b.reshape(right, (*right.shape, 1)) if y.rank == 1 else right
    out = matmul(b, b.value(wide_left, dtype=x.dtype), b.value(wide_right, dtype=y.dtype))
    shape = [
        dim
        for position, dim in enumerate(out.shape)
        if not (x.rank == 1 and position == out.rank - 2) and not (y.rank == 1 and position == out.rank - 1)
    ]
    return b.value(b.reshape(b.logical(out), shape), dtype=x.dtype)


# -- with a sum ----------------------------------------------------------------------------------------------------


@lowers("aten.addmm.default")
def lower_addmm(b: Builder, bias: Value, x: Value, weight: Value, beta: float, alpha: float) -> Value:
    if beta == alpha == 1 and weight.is_constant and bias.is_constant and bias.rank == 1 and is_float(x.dtype):
        return lower_linear(b, x, transposed(weight), bias)
    return _weighted_sum(b, bias, matmul(b, x, weight), beta, alpha)


@lowers("aten.baddbmm.default", "aten.addmv.default")
def lower_baddbmm(b: Builder, bias: Value, x: Value, y: Value, beta: float, alpha: float) -> Value:
    return _weighted_sum(b, bias, matmul(b, x, y), beta, alpha)


@lowers("aten.addbmm.default")
def lower_addbmm(b: Builder, bias: Value, x: Value, y: Value, beta: float, alpha: float) -> Value:
    """The products of all batches summed: one product of matrices laid side by side."""
    wide = b.reshape(b.reorder(x, (1, 0, 2)).tensor, (x.shape[1], x.shape[0] * x.shape[2]))
    high = b.reshape(b.logical(y), (y.shape[0] * y.shape[1], y.shape[2]))
    product = matmul(b, b.value(wide, dtype=x.dtype), b.value(high, dtype=y.dtype))
    return _weighted_sum(b, bias, product, beta, alpha)


@lowers("aten.addr.default")
def lower_addr(b: Builder, bias: Value, x: Value, y: Value, beta: float, alpha: float) -> Value:
    column = b.value(b.reshape(x.tensor, (x.shape[0], 1)), dtype=x.dtype)
    total = _weighted_sum(b, bias, binary(b, "MUL", column, y), beta, alpha)
    return cast(b, total, promote(bias, x, y))


def _weighted_sum(b: Builder, bias: Value, product: Value, beta: float, alpha: float) -> Value:
    """Beta * bias + alpha * product; a beta of zero leaves the bias out, NaN and all."""
    scaled = product if alpha == 1 else binary(b, "MUL", product, alpha)
    if beta == 0:
        return scaled
    return binary(b, "ADD", scaled, bias if beta == 1 else binary(b, "MUL", bias, beta))


@lowers("aten.bilinear.default")
def lower_bilinear(b: Builder, x: Value, y: Value, weight: Value, bias: Value | None) -> Value:
    """sum_ij x_i W_kij y_j: W y for every k as one linear layer, then a product with x."""
    outputs, first, second = weight.shape
    table = b.value(b.reshape(b.logical(weight), (outputs * first, second)), dtype=weight.dtype)
    inner = lower_linear(b, y, table, None)
    lead = x.shape[:-1]
    matrix = b.value(b.reshape(b.logical(inner), (*lead, outputs, first)), dtype=x.dtype)
    column = b.value(b.reshape(b.logical(x), (*lead, first, 1)), dtype=x.dtype)
    out: Any = b.value(b.reshape(b.logical(matmul(b, matrix, column)), (*lead, outputs)), dtype=x.dtype)
    return out if bias is None else binary(b, "ADD", out, bias)
