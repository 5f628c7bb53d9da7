"""Reductions composed of several ops: variance, norms, logsumexp, distances."""

from __future__ import annotations

import math
from typing import Any

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import floating, name_of
from mobilekit.frontends.direct.ops.arithmetic import binary, emit_binary, select, unary_like
from mobilekit.frontends.direct.ops.cast import cast
from mobilekit.frontends.direct.ops.compare import compare
from mobilekit.frontends.direct.ops.reduce import reduce_value, reduced_dims
from mobilekit.frontends.direct.registry import lowers
from mobilekit.frontends.direct.values import Value


def variance(b: Builder, x: Value, dims: Any, correction: float, keepdim: bool) -> Value:
    """Mean first, then the squared distances: the two passes that keep float32's precision."""
    mean = reduce_value(b, "MEAN", x, dims, True)
    squares = b.like(x, emit_binary(b, "SQUARED_DIFFERENCE", x.tensor, mean.tensor))
    count = math.prod(x.shape[dim] for dim in reduced_dims(x, dims))
    if correction == 0:
        return reduce_value(b, "MEAN", squares, dims, keepdim)
    total = reduce_value(b, "SUM", squares, dims, keepdim)
    # One value has no variance of its own: 0 / 0 is PyTorch's answer too.
    return binary(b, "DIV", total, float(max(0.0, count - correction)))


def _correction(unbiased_or_correction: Any) -> float:
    """True and None mean Bessel's correction of one."""
    return 1.0 if unbiased_or_correction is None else float(unbiased_or_correction)


def _root(b: Builder, x: Value) -> Value:
    return unary_like(b, "SQRT", x)


@lowers("aten.var.default")
def lower_var(b: Builder, x: Value, unbiased: bool) -> Value:
    return variance(b, x, None, _correction(unbiased), False)


@lowers("aten.var.dim", "aten.var.correction")
def lower_var_dim(b: Builder, x: Value, dims: Any, correction: Any, keepdim: bool) -> Value:
    return variance(b, x, dims, _correction(correction), keepdim)


@lowers("aten.std.default")
def lower_std(b: Builder, x: Value, unbiased: bool) -> Value:
    return _root(b, lower_var(b, x, unbiased))


@lowers("aten.std.dim", "aten.std.correction")
def lower_std_dim(b: Builder, x: Value, dims: Any, correction: Any, keepdim: bool) -> Value:
    return _root(b, lower_var_dim(b, x, dims, correction, keepdim))


@lowers("aten.var_mean.default")
def lower_var_mean(b: Builder, x: Value, unbiased: bool) -> tuple[Value, Value]:
    return lower_var(b, x, unbiased), reduce_value(b, "MEAN", x, None, False)


@lowers("aten.var_mean.dim", "aten.var_mean.correction")
def lower_var_mean_dim(b: Builder, x: Value, dims: Any, correction: Any, keepdim: bool) -> tuple[Value, Value]:
    return lower_var_dim(b, x, dims, correction, keepdim), reduce_value(b, "MEAN", x, dims, keepdim)


@lowers("aten.std_mean.default")
def lower_std_mean(b: Builder, x: Value, unbiased: bool) -> tuple[Value, Value]:
    return lower_std(b, x, unbiased), reduce_value(b, "MEAN", x, None, False)


@lowers("aten.std_mean.dim", "aten.std_mean.correction")
def lower_std_mean_dim(b: Builder, x: Value, dims: Any, correction: Any, keepdim: bool) -> tuple[Value, Value]:
    return lower_std_dim(b, x, dims, correction, keepdim), reduce_value(b, "MEAN", x, dims, keepdim)


# -- norms -----------------------------------------------------------------------------------------------------


def norm(b: Builder, x: Value, order: float, dims: Any, keepdim: bool) -> Value:
    """The vector norm of any order; 0 counts what is not zero."""
    if order == 0:
        return reduce_value(b, "SUM", cast(b, compare(b, "NOT_EQUAL", x, 0.0), x.dtype), dims, keepdim)
    if order == 2:
        return _root(b, reduce_value(b, "SUM", unary_like(b, "SQUARE", x), dims, keepdim))
    size = unary_like(b, "ABS", x)
    if math.isinf(order):
        return reduce_value(b, "REDUCE_MAX" if order > 0 else "REDUCE_MIN", size, dims, keepdim)
    if order == 1:
        return reduce_value(b, "SUM", size, dims, keepdim)
    total = reduce_value(b, "SUM", binary(b, "POW", size, float(order)), dims, keepdim)
    return binary(b, "POW", total, 1.0 / order)


@lowers("aten.linalg_vector_norm.default")
def lower_vector_norm(b: Builder, x: Value, order: float, dims: Any, keepdim: bool, dtype: Any) -> Value:
    return norm(b, x if dtype is None else cast(b, x, name_of(dtype)), order, dims, keepdim)


@lowers("aten.norm.ScalarOpt_dim")
def lower_norm_dims(b: Builder, x: Value, order: float | None, dims: Any, keepdim: bool) -> Value:
    return norm(b, x, 2 if order is None else order, dims, keepdim)


@lowers("aten.norm.Scalar")
def lower_norm(b: Builder, x: Value, order: float) -> Value:
    return norm(b, x, order, None, False)


@lowers("aten.logsumexp.default")
def lower_logsumexp(b: Builder, x: Value, dims: Any, keepdim: bool) -> Value:
    """The largest value goes out before exp, so that nothing overflows; infinities stay in, as inf - inf is NaN."""
    x = cast(b, x, floating(x.dtype))
    largest = reduce_value(b, "REDUCE_MAX", x, dims, True)
    infinite = compare(b, "EQUAL", unary_like(b, "ABS", largest), math.inf)
    offset = select(b, infinite, 0.0, largest, x.dtype)
    powers = unary_like(b, "EXP", b.like(x, emit_binary(b, "SUB", x.tensor, offset.tensor)))
    total = unary_like(b, "LOG", reduce_value(b, "SUM", powers, dims, True))
    result = b.like(x, emit_binary(b, "ADD", total.tensor, offset.tensor))
    return result if keepdim else reduce_value(b, "SUM", result, dims, False)


@lowers("aten.dist.default")
def lower_dist(b: Builder, x: Value, y: Value, order: float) -> Value:
    return norm(b, binary(b, "SUB", x, y), order, None, False)


@lowers("aten.cdist.default", "aten._cdist_forward.default")
def lower_cdist(b: Builder, x: Value, y: Value, order: float, mode: int | None) -> Value:
    """[..., n, m] against [..., k, m]: all pairs by broadcasting, which takes n * k * m numbers of memory."""
    left, right = b.logical(x), b.logical(y)
    rows = b.value(b.reshape(left, (*x.shape[:-1], 1, x.shape[-1])), dtype=x.dtype)
    columns = b.value(b.reshape(right, (*y.shape[:-2], 1, *y.shape[-2:])), dtype=y.dtype)
    return norm(b, binary(b, "SUB", rows, columns), order, [-1], False)


@lowers("aten.pairwise_distance.default")
def lower_pairwise_distance(b: Builder, x: Value, y: Value, order: float, eps: float, keepdim: bool) -> Value:
    return norm(b, binary(b, "ADD", binary(b, "SUB", x, y), float(eps)), order, [-1], keepdim)


@lowers("aten.cosine_similarity.default")
def lower_cosine_similarity(b: Builder, x: Value, y: Value, dim: int, eps: float) -> Value:
    """sum(x y) over the product of both lengths, each at least eps."""
    lengths = [binary(b, "MAXIMUM", norm(b, value, 2, [dim], True), float(eps)) for value in (x, y)]
    first, second = (binary(b, "DIV", value, length) for value, length in zip((x, y), lengths, strict=True))
    return reduce_value(b, "SUM", binary(b, "MUL", first, second), [dim], False)


@lowers("aten.logaddexp.default")
def lower_logaddexp(b: Builder, x: Value, y: Value) -> Value:
    """The larger one, plus log(1 + exp(-|x - y|)); two equal infinities would make NaN of the difference."""
    larger = binary(b, "MAXIMUM", x, y)
    gap = unary_like(b, "ABS", binary(b, "SUB", x, y))
    grown = binary(b, "ADD", unary_like(b, "EXP", unary_like(b, "NEG", gap)), 1.0)
    result = binary(b, "ADD", larger, unary_like(b, "LOG", grown))
    return select(b, compare(b, "EQUAL", x, y), binary(b, "ADD", larger, math.log(2)), result, larger.dtype)
