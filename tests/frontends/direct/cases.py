"""The one list: every ATen overload with a lowering, and what hypothesis draws for it.

It drives the tests in float (``test_every_lowering.py``), the same list in int8 (``tests/quantize/test_every_op.py``)
and the column of the op-coverage page. A lowering without a line here, or a line without a lowering, fails a test.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from hypothesis import strategies as st

from tests.frontends.direct.draws import FLOATS, INTEGERS, Case, Drawer, Fixed, Given

CASES: dict[str, Case] = {}

NOT_IN_PROGRAMS = {
    "aten._assert_async.msg": "a check without a result, dropped before lowering",
    "aten._assert_scalar.default": "a check without a result, dropped before lowering",
    "aten._assert_tensor_metadata.default": "a check without a result, dropped before lowering",
    "aten.sym_constrain_range.default": "a check of a number that depends on data",
    "aten.sym_constrain_range_for_size.default": "a check of a number that depends on data",
    "aten.sym_size.int": "a Python number where shapes are fixed",
    "aten.sym_numel.default": "a Python number where shapes are fixed",
    "aten.detach_.default": "torch.export writes the form that is not in place",
    "aten.lift.default": "made by functionalization only",
    "aten.lift_fresh.default": "made by functionalization only",
    "aten.scalar_tensor.default": "takes no tensor: a constant",
    "aten.dropout_.default": "torch.export writes the form that is not in place",
    "aten.rrelu_with_noise.default": "torch.export keeps rrelu itself; this one writes into an argument",
    "aten.empty_like.default": "holds what lies in memory, so that only an empty result can be compared",
    "aten.new_empty.default": "holds what lies in memory, so that only an empty result can be compared",
    "aten.new_empty_strided.default": "holds what lies in memory, so that only an empty result can be compared",
}
"""Overloads with a lowering that no captured program of fixed shapes hands to it, with the reason."""

REFUSED = {
    "aten._local_scalar_dense.default": "it makes a Python value of a tensor's data",
    "aten.item.default": "it makes a Python value of a tensor's data",
    "aten.equal.default": "it makes a Python value of a tensor's data",
    "aten.where.default": "the shape of its result depends on the data",
    "aten.nonzero.default": "the shape of its result depends on the data",
    "aten.masked_select.default": "the shape of its result depends on the data",
    "aten._unique2.default": "the shape of its result depends on the data",
    "aten.unique_consecutive.default": "the shape of its result depends on the data",
    "aten.unique_dim.default": "the shape of its result depends on the data",
    "aten.bincount.default": "the shape of its result depends on the data",
    "aten.embedding_renorm.default": "it changes its own weights",
    "aten.embedding_renorm_.default": "it changes its own weights",
    "aten.bitwise_left_shift.Scalar_Tensor": "a shift by a count that is computed",
    "aten.bitwise_right_shift.Scalar_Tensor": "a shift by a count that is computed",
    **{
        f"aten.{name}.default": "TFLite has no op that this function could be composed of exactly"
        for name in "lgamma digamma erfinv i0 special_ndtri igamma special_i1 polygamma".split()
    },
}
"""Overloads whose lowering is a refusal with its reason, which tests of their family pin."""

ELSEWHERE = {
    "torchvision.nms.default": "test_vision.py",
    "torchvision.roi_align.default": "test_sample_torchvision.py",
    "torchvision.roi_pool.default": "test_vision.py",
    "torchvision.deform_conv2d.default": "test_sample_torchvision.py",
    "quantized_decomposed.quantize_per_tensor.default": "tests/conversion/test_given_scales.py",
    "quantized_decomposed.dequantize_per_tensor.default": "tests/conversion/test_given_scales.py",
    "quantized_decomposed.dequantize_per_channel.default": "tests/conversion/test_given_scales.py",
}
"""Overloads that torch registers on demand or other packages do: the file of their own tests."""

FIRST_OUTPUT_ONLY = frozenset(
    f"aten.{name}"
    for name in (
        "native_layer_norm.default",
        "native_group_norm.default",
        "_native_batch_norm_legit_no_training.default",
        "embedding_bag.padding_idx",
    )
)
"""Their other outputs serve the backward pass; a lowering gives the first alone."""


def _case(names: str, case: Case) -> None:
    for name in names.split():
        full = name if name.startswith("prims.") else f"aten.{name}"
        full += "" if full.count(".") > 1 else ".default"
        assert full not in CASES, f"two cases for {full}"
        CASES[full] = case


# -- pointwise -----------------------------------------------------------------------------------------------------

_case("abs neg sgn sign square positive real conj resolve_conj", lambda d: (d.numbers(),))
_case("angle asinh atan cos deg2rad erf erfc exp exp2 expm1 rad2deg sin", lambda d: (d.any_float(),))
_case("sinh cosh", lambda d: (d.floats(low=-3, high=3),))
_case("ceil floor trunc fix round", lambda d: (d.numbers(low=-9, high=9),))
_case("frac", lambda d: (d.floats(low=-9, high=9),))
_case("round.decimals", lambda d: (d.floats(low=-9, high=9), {"decimals": d.int(-1, 2)}))
_case("acos asin", lambda d: (d.floats(low=-0.99, high=0.99),))
_case("atanh", lambda d: (d.floats(low=-0.9, high=0.9),))
_case("acosh", lambda d: (d.floats(low=1.1, high=9),))
_case("log log10 log2 rsqrt reciprocal sqrt", lambda d: (d.any_float(low=0.1, high=9),))
_case("log1p", lambda d: (d.floats(low=-0.9, high=9),))
_case("tan", lambda d: (d.floats(low=-1.4, high=1.4),))

# -- activations ---------------------------------------------------------------------------------------------------

_case("relu", lambda d: (d.numbers(),))
_case("hardsigmoid hardswish log_sigmoid mish relu6 selu sigmoid silu tanh", lambda d: (d.any_float(low=-8, high=8),))
_case("celu", lambda d: (d.floats(low=-5, high=5), d.one(0.5, 1.0, 2.0)))
_case("elu", lambda d: (d.floats(low=-5, high=5), d.one(0.5, 1.0, 2.0), d.one(1, 1.5), d.one(1, 0.5)))
_case("gelu", lambda d: (d.any_float(low=-5, high=5), {"approximate": d.one("none", "tanh")}))
_case("hardshrink softshrink", lambda d: (d.floats(), d.one(0.0, 0.5, 1.0)))
_case("hardtanh", lambda d: (d.floats(low=-7, high=7), d.one(-1, 0, -0.3), d.one(1, 6, 0.7)))
_case("leaky_relu", lambda d: (d.floats(), d.one(0.0, 0.01, 1.5, -0.5)))
_case("softplus", lambda d: (d.floats(low=-30, high=30), d.one(1, 2.5), d.one(20, 3)))
_case("threshold", lambda d: (d.floats(), d.one(0.1, -1), d.one(0, 3.5)))
_case("rrelu", lambda d: (d.floats(), 0.1, 0.3, False))
_case("clamp clip", lambda d: (d.numbers(), *d.one((0, 3), (None, 1), (0, None), (3, 1), (-2, 3), (-999, 999))))
_case("clamp_max", lambda d: (d.numbers(), d.one(0, 3, 999)))
_case("clamp_min", lambda d: (d.numbers(), d.one(-999, -2, 0, 3)))


def _prelu(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(2, 4)
    return d.floats(shape), d.weight(d.one(1, shape[1]))


def _glu(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1)
    dim = d.dim(shape)
    shape[dim] *= 2
    return d.floats(shape), dim


def _softmax(*extra: Any) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        shape = d.shape()
        return d.floats(shape, -5, 5), d.dim(shape), *extra

    return case


_case("prelu", _prelu)
_case("glu", _glu)
_case("softmax.int log_softmax.int _safe_softmax", _softmax())
_case("_softmax _log_softmax", _softmax(False))

# -- two operands --------------------------------------------------------------------------------------------------


def _two(low: float = -5, high: float = 5, *, integers: bool = True, away: float = 0.0) -> Case:
    """Two tensors that broadcast; the second at least ``away`` from zero."""

    def case(d: Drawer) -> tuple[Any, ...]:
        first, second = d.broadcasting(2)
        dtype = d.dtype(torch.float32, torch.float32, *(INTEGERS if integers else ()))
        divisor = d.values(second, dtype, low, high)
        if away:
            divisor = torch.where(divisor.float().abs() < away, torch.ones((), dtype=dtype), divisor)
        return d.given(d.values(first, dtype, low, high)), d.given(divisor)

    return case


def _scalar(*numbers: float, low: float = -5, high: float = 5, floats: bool = False) -> Case:
    return lambda d: (d.floats(None, low, high) if floats else d.numbers(None, low, high), d.one(*numbers))


def _with_alpha(case: Case) -> Case:
    return lambda d: (*case(d), {"alpha": d.one(1, 2, -3)})


_case("maximum minimum max.other min.other mul.Tensor", _two())
_case("fmax fmin hypot logaddexp", _two(integers=False))
_case("copysign.Tensor", _two(away=0.1))
_case("atan2", _two(integers=False, away=0.1))
_case("div.Tensor floor_divide fmod.Tensor remainder.Tensor", _two(away=0.5))
_case("add.Tensor sub.Tensor rsub.Tensor", _with_alpha(_two()))
_case("add.Scalar sub.Scalar rsub.Scalar", _scalar(2, -3, 0))
_case("mul.Scalar", _scalar(2, -3, 0))
_case("copysign.Scalar", _scalar(2, -1.5))
_case("div.Scalar floor_divide.Scalar fmod.Scalar remainder.Scalar", _scalar(2, -3, 7))
_case("div.Scalar_mode", lambda d: (d.numbers(), d.one(2, -3), {"rounding_mode": d.one(None, "floor", "trunc")}))
_case("div.Tensor_mode", lambda d: (*_two(away=0.5)(d), {"rounding_mode": d.one(None, "floor", "trunc")}))
_case("remainder.Scalar_Tensor", lambda d: (d.one(7, -7), _two(away=0.5)(d)[1]))
_case("pow.Scalar", lambda d: (d.one(2.0, 0.5), d.floats(low=-3, high=3)))
_case("pow.Tensor_Scalar", lambda d: (d.floats(low=0.1, high=3), d.one(0, 1, 2, 3, 0.5, -1, -0.5, 1.7)))


def _power(d: Drawer) -> tuple[Any, ...]:
    first, second = d.broadcasting(2)
    return d.floats(first, 0.1, 3), d.floats(second, -2, 2)


def _three(d: Drawer) -> list[Any]:
    first, second, third = d.broadcasting(3)
    return [d.floats(first), d.floats(second), d.floats(third, 0.5, 2)]


_case("pow.Tensor_Tensor", _power)
_case("addcmul addcdiv", lambda d: (*_three(d), {"value": d.one(1, 0.5, -2)}))
_case("lerp.Tensor", lambda d: tuple(_three(d)))
_case("lerp.Scalar", lambda d: (*_three(d)[:2], d.one(0.3, 0.7)))

# -- comparison and logic ------------------------------------------------------------------------------------------


def _truths(d: Drawer) -> tuple[Any, ...]:
    first, second = d.broadcasting(2)
    return d.mask(first), d.mask(second)


def _masked(d: Drawer) -> tuple[Any, ...]:
    first, second = d.broadcasting(2, 1)
    return d.numbers(first), d.mask(second)


_case("eq.Tensor ne.Tensor lt.Tensor le.Tensor gt.Tensor ge.Tensor", _two(-2, 2))
_case("eq.Scalar ne.Scalar lt.Scalar le.Scalar gt.Scalar ge.Scalar", _scalar(-1, 0, 2, 0.5, low=-2, high=2))
_case("logical_and logical_or logical_xor", lambda d: d.one(_truths, _two(-1, 1))(d))
_case("logical_not", lambda d: (d.numbers(low=-1, high=1),))
_case("isfinite isinf isnan isneginf isposinf signbit", lambda d: (d.numbers(),))
_case("isclose", lambda d: (*_two(-1, 1, integers=False)(d), d.one(1e-5, 0.5), 1e-3))
_case("isin.Tensor_Tensor", lambda d: (d.integers(low=-2, high=2), d.integers([3], -2, 2), {"invert": d.flag()}))
_case("heaviside", _two(-1, 1, integers=False))
_case("nan_to_num", lambda d: (d.floats(), d.one(None, 3.0), d.one(None, 9.0)))
_case("masked_fill.Scalar", lambda d: (*_masked(d), d.one(0, -3)))
_case("masked_fill.Tensor", lambda d: (*_masked(d), Fixed(torch.tensor(2))))
_case("where.self", lambda d: (d.mask((s := d.broadcasting(3))[0]), d.floats(s[1]), d.floats(s[2])))
_case("where.Scalar", lambda d: (d.mask(d.shape()), 1.5, -2.0))
_case("where.ScalarOther", lambda d: (d.mask((s := d.broadcasting(2))[0]), d.floats(s[1]), -2.0))
_case("where.ScalarSelf", lambda d: (d.mask((s := d.broadcasting(2))[0]), 1.5, d.floats(s[1])))


def _clamp_tensors(d: Drawer) -> tuple[Any, ...]:
    shapes = d.broadcasting(3)
    which = d.one((True, True), (True, False), (False, True))
    ends = [d.floats(shape, -2, 2) if wanted else None for shape, wanted in zip(shapes[1:], which, strict=True)]
    return d.floats(shapes[0], -5, 5), *ends


_case("clamp.Tensor", _clamp_tensors)
_case("clamp_max.Tensor clamp_min.Tensor", _two(integers=False))

# -- bits ----------------------------------------------------------------------------------------------------------


def _bits(d: Drawer) -> tuple[Any, ...]:
    first, second = d.broadcasting(2)
    dtype = d.one(*INTEGERS, torch.bool)
    return d.given(d.values(first, dtype, -9, 9)), d.given(d.values(second, dtype, -9, 9))


def _counts(d: Drawer) -> tuple[Any, ...]:
    numbers = d.given(d.values(d.shape(), torch.int32, -9, 9))
    return numbers, Fixed(torch.tensor(d.int(0, 5), dtype=torch.int32))


_TENSOR_BITS = "__and__ __or__ __xor__ bitwise_and bitwise_or bitwise_xor"
_case(" ".join(f"{name}.Tensor" for name in _TENSOR_BITS.split()), _bits)
_case(" ".join(f"{name}.Scalar" for name in _TENSOR_BITS.split()), lambda d: (d.integers(), d.one(1, 6)))
_case("bitwise_and.Scalar_Tensor bitwise_or.Scalar_Tensor bitwise_xor.Scalar_Tensor", lambda d: (6, d.integers()))
_case("bitwise_not", lambda d: (_bits(d)[0],))
_SHIFTS = "__lshift__.Tensor __rshift__.Tensor bitwise_left_shift.Tensor bitwise_right_shift.Tensor"
_case(_SHIFTS, _counts)
_case(
    "__lshift__.Scalar __rshift__.Scalar bitwise_left_shift.Tensor_Scalar bitwise_right_shift.Tensor_Scalar",
    lambda d: (d.given(d.values(d.shape(), torch.int32, -9, 9)), d.int(0, 5)),
)

# -- dtypes and creation -------------------------------------------------------------------------------------------

_DTYPES = (*FLOATS, *INTEGERS, torch.bool)


def _of_any(d: Drawer, shape: list[int]) -> Any:
    """Small numbers that every dtype holds."""
    return d.given(d.values(shape, d.dtype(*_DTYPES), 0, 5))


def _any(d: Drawer) -> Any:
    return _of_any(d, d.shape())


_case("to.dtype prims.convert_element_type", lambda d: (_any(d), d.one(*_DTYPES)))
_case("to.dtype_layout _to_copy", lambda d: (_any(d), {"dtype": d.one(*_DTYPES)}))
_case("to.device", lambda d: (_any(d), torch.device("cpu"), d.one(*_DTYPES)))
_case("to.other type_as", lambda d: (_any(d), _any(d)))
_case("full_like", lambda d: (_any(d), d.one(2, 1)))
_case("ones_like zeros_like zero", lambda d: (_any(d),))
_case("fill.Scalar", lambda d: (_any(d), 3))
_case("fill.Tensor", lambda d: (_any(d), d.floats([])))
_case("copy", lambda d: ((x := d.floats()), d.floats(list(x.tensor.permute(x.order).shape))))
_case("new_full", lambda d: (_any(d), d.shape(), 3))
_case("new_ones new_zeros", lambda d: (_any(d), d.shape()))

# -- views ---------------------------------------------------------------------------------------------------------


def _x_dim(d: Drawer, least: int = 1) -> tuple[Any, int, int]:
    """Anything with an axis, that axis, and its length."""
    shape = d.shape(least)
    dim = d.dim(shape)
    return d.given(d.values(shape, d.dtype(*_DTYPES), 0, 5)), dim, shape[dim] if shape else 1


def _reshaped(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape()
    kept = d.of(_permutations(shape))
    if kept and d.flag():
        joined = d.int(1, len(kept))
        kept = [math.prod(kept[:joined]), *kept[joined:]]
    if kept and d.flag():
        kept[d.int(0, len(kept) - 1)] = -1
    return d.given(d.values(shape, d.dtype(*_DTYPES), 0, 5)), kept


def _permutations(shape: list[int]) -> st.SearchStrategy[list[int]]:
    return st.permutations(shape).map(list)


def _viewed(d: Drawer) -> tuple[Any, ...]:
    """A view needs memory in order, which a permuted input has not."""
    x, shape = _reshaped(d)
    return _as_it_is(x.tensor.permute(x.order).contiguous()), shape


def _as_it_is(tensor: torch.Tensor) -> Given:
    """An input in PyTorch's own order, contiguous."""
    return Given(tensor, tuple(range(tensor.dim())))


def _expanded(d: Drawer) -> tuple[Any, ...]:
    narrow, wide = d.shape(0, 4), []
    for index, size in enumerate(narrow):
        if d.flag():
            narrow[index], size = 1, d.int(1, 3)
        wide.append(d.one(-1, size) if narrow[index] == size else size)
    return d.given(d.values(narrow, d.dtype(*_DTYPES), 0, 5)), [*d.shape(0, 2, (1, 3)), *wide]


def _flattened(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1)
    start = d.int(0, len(shape) - 1)
    end = d.int(start, len(shape) - 1)
    return d.floats(shape), start - d.one(0, len(shape)), end - d.one(0, len(shape))


def _unflattened(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1)
    dim = d.dim(shape)
    sizes = [d.int(1, 3), shape[dim]]
    shape[dim] = math.prod(sizes)
    return d.floats(shape), dim, d.one(sizes, [-1, sizes[1]])


def _two_dims(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1)
    return d.floats(shape), d.dim(shape), d.dim(shape)


def _unsqueezed(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(0, 4)
    return d.floats(shape), d.int(-len(shape) - 1, len(shape))


def _permuted(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape()
    dims = d.of(_permutations(list(range(len(shape)))))
    return d.floats(shape), [dim - len(shape) if d.flag() else dim for dim in dims]


def _diagonal(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(2, 4)
    first = d.int(0, len(shape) - 1)
    second = d.one(*(axis for axis in range(len(shape)) if axis != first))
    return d.floats(shape), d.int(1 - shape[first], shape[second] - 1), first, second - len(shape)


_case("alias clone contiguous detach lift_fresh_copy", lambda d: (_any(d),))
_case("dropout alpha_dropout feature_dropout", lambda d: (d.floats(d.shape(2)), 0.5, False))
_case("reshape", _reshaped)
_case("view _unsafe_view", _viewed)
_case("expand", _expanded)
_case("flatten.using_ints", _flattened)
_case("unflatten.int", _unflattened)
_case("transpose.int swapaxes", _two_dims)
_case("t", lambda d: (d.floats(d.shape(0, 2)),))
_case("numpy_T", lambda d: (d.floats(),))
_case("permute", _permuted)
_case("unsqueeze", _unsqueezed)
_case("squeeze", lambda d: (_any(d),))
_case("squeeze.dim", lambda d: _x_dim(d)[:2])
_case("squeeze.dims", lambda d: ((x := d.floats(d.shape(1))), d.dims(x.tensor.shape)))
_case("diagonal", _diagonal)


def _unfolded(d: Drawer) -> tuple[Any, ...]:
    x, dim, length = _x_dim(d)
    return x, dim, d.int(1, length), d.int(1, 3)


def _strided(d: Drawer) -> tuple[Any, ...]:
    x = _as_it_is(d.values([d.int(12, 24)], torch.float32, -2, 2))
    return x, [d.int(1, 3), d.int(1, 3)], [d.int(0, 3), d.int(0, 2)], d.int(0, 1)


_case("unfold", _unfolded)
_case("as_strided", _strided)

# -- cutting and joining -------------------------------------------------------------------------------------------


def _sliced(d: Drawer) -> tuple[Any, ...]:
    x, dim, length = _x_dim(d)
    start, end = d.one(None, d.int(-length, length)), d.one(None, d.int(-length - 1, length + 2))
    return x, dim, start, end, d.int(1, 3)


def _selected(d: Drawer) -> tuple[Any, ...]:
    x, dim, length = _x_dim(d)
    return x, dim, d.int(-length, length - 1)


def _narrowed(d: Drawer) -> tuple[Any, ...]:
    x, dim, length = _x_dim(d)
    start = d.int(0, length - 1)
    return x, dim, start, d.int(1, length - start)


def _cut(d: Drawer) -> tuple[Any, ...]:
    x, dim, length = _x_dim(d)
    return x, d.int(1, length), dim


def _cut_sizes(d: Drawer) -> tuple[Any, ...]:
    x, dim, length = _x_dim(d)
    first = d.int(0, length)
    return x, [first, length - first], dim


def _joined(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1)
    dim = d.dim(shape)
    parts = []
    for _ in range(d.int(1, 3)):
        shape[dim] = d.int(1, 3)
        parts.append(d.floats(list(shape)))
    return parts, dim


def _stacked(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(0, 4)
    return [d.floats(shape) for _ in range(d.int(1, 3))], d.int(-len(shape) - 1, len(shape))


_case("slice.Tensor", _sliced)
_case("select.int", _selected)
_case("narrow", _narrowed)
_case("split.Tensor unsafe_split.Tensor chunk", _cut)
_case("split.sizes split_with_sizes unsafe_split_with_sizes", _cut_sizes)
_case("unbind.int", lambda d: _x_dim(d)[:2])
_case("cat concat concatenate", _joined)
_case("stack", _stacked)

# -- repeating -----------------------------------------------------------------------------------------------------


def _rolled(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1)
    dims = d.dims(shape)
    return d.floats(shape), [d.int(-5, 5) for _ in dims], dims


def _turned(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(2, 4)
    return d.floats(shape), d.int(-5, 5), list(d.of(_permutations(list(range(len(shape)))))[:2])


def _interleaved(d: Drawer) -> tuple[Any, ...]:
    x, dim, _ = _x_dim(d)
    return x, d.int(1, 3), d.one(dim, None)


def _interleaved_by(d: Drawer) -> tuple[Any, ...]:
    x, dim, length = _x_dim(d)
    return x, Fixed(d.values([length], torch.int64, 0, 3) + (torch.arange(length) == 0)), dim


def _embedded(d: Drawer) -> tuple[Any, ...]:
    return d.floats(d.shape(1, 3)), d.int(-2, 2)


def _triangle(d: Drawer) -> tuple[Any, ...]:
    return d.numbers(d.shape(2, 4)), d.int(-3, 3)


_case("repeat", lambda d: ((x := d.floats(d.shape(0, 4))), [*d.shape(0, 1, (1, 3)), *[d.int(1, 2) for _ in x.order]]))
_case("tile", lambda d: (d.floats(d.shape(0, 4)), d.shape(0, 4, (1, 2))))
_case("flip", lambda d: ((x := _x_dim(d)[0]), d.dims(x.tensor.shape)))
_case("roll", _rolled)
_case("rot90", _turned)
_case("repeat_interleave.self_int", _interleaved)
_case("repeat_interleave.self_Tensor", _interleaved_by)
_case("diag_embed", _embedded)
_case("tril triu", _triangle)

# -- padding -------------------------------------------------------------------------------------------------------


def _padded(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1, 5, (2, 4))
    pads = [d.int(-1, 3) for _ in range(2 * d.int(1, min(len(shape), 4)))]
    return d.floats(shape), pads, d.one(0, 1.5, -math.inf)


def _padded_by(mode: str | None, dimensions: int | None = None) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        axes = dimensions or d.int(1, 3)
        name = mode or d.one("reflect", "replicate", "circular")
        x = d.floats([*([2, 3] if mode is None or d.flag() else [3]), *[d.int(3, 5) for _ in range(axes)]])
        pads = [d.int(0, 2) for _ in range(2 * axes)]
        return (x, pads) if mode else (x, pads, name)

    return case


_case("constant_pad_nd", _padded)
_case("pad", _padded_by(None))
for _axes in (1, 2, 3):
    _case(f"reflection_pad{_axes}d", _padded_by("reflect", _axes))
    _case(f"replication_pad{_axes}d", _padded_by("replicate", _axes))

# -- reductions ----------------------------------------------------------------------------------------------------


def _over_dims(kind: str = "numbers", least: int = 1) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        shape = d.shape()
        return getattr(d, kind)(shape), d.dims(shape, least), d.flag()

    return case


def _over_dim(kind: str = "numbers") -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        shape = d.shape()
        return getattr(d, kind)(shape), d.dim(shape), d.flag()

    return case


def _aminmax(d: Drawer) -> tuple[Any, ...]:
    x, dim, keep = _over_dim()(d)
    return x, {"dim": dim, "keepdim": keep}


_case("sum.dim_IntList", _over_dims())
_case("mean.dim", _over_dims("floats"))
_case("amax amin", _over_dims())
_case("any.dims all.dims", _over_dims())
_case("count_nonzero.dim_IntList", lambda d: _over_dims()(d)[:2])
_case("sum max min any all count_nonzero", lambda d: (d.numbers(),))
_case("mean", lambda d: (d.any_float(),))
_case("prod", lambda d: (d.numbers(d.shape(0, 3, (1, 2)), -3, 3),))
_case("prod.dim_int", _over_dim())
_case("max.dim min.dim argmax argmin any.dim all.dim", _over_dim())
_case("aminmax", _aminmax)
_case("logsumexp", _over_dims("floats"))


def _spread(case: str) -> Case:
    def draw(d: Drawer) -> tuple[Any, ...]:
        shape = d.shape(1, 4, (2, 4))
        dims, keep = d.dims(shape), d.flag()
        if case == "dim":
            return d.floats(shape), dims, d.flag(), keep
        if case == "correction":
            return d.floats(shape), d.one(dims, None), {"correction": d.one(0, 1, None, 0.5), "keepdim": keep}
        return d.floats(shape), d.flag()

    return draw


for _name in ("var", "std", "var_mean", "std_mean"):
    for _overload in ("dim", "correction", "default"):
        _case(f"{_name}.{_overload}", _spread(_overload))

_NORMS = (0, 1, 2, 3, 0.5, math.inf, -math.inf)
_case("linalg_vector_norm", lambda d: (d.floats(s := d.shape(1)), d.one(*_NORMS), d.one(None, d.dims(s)), d.flag()))
_case("norm.Scalar", lambda d: (d.floats(d.shape(1)), d.one(*_NORMS)))
_case("norm.ScalarOpt_dim", lambda d: (d.floats(s := d.shape(1)), d.one(None, *_NORMS), d.dims(s), d.flag()))


def _pairs(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1, 3, (2, 4))
    return d.floats(shape), d.floats(shape)


def _sets(d: Drawer) -> tuple[Any, ...]:
    lead, width = d.shape(0, 2, (1, 2)), d.int(1, 4)
    return d.floats([*lead, d.int(1, 4), width]), d.floats([*lead, d.int(1, 4), width]), d.one(1.0, 2.0, 3.0, math.inf)


_case("cosine_similarity", lambda d: (*(p := _pairs(d)), d.dim(p[0].tensor.shape)))
_case("pairwise_distance", lambda d: (*_pairs(d), d.one(1.0, 2.0, 3.0), 1e-6, d.flag()))
_case("dist", lambda d: (*_pairs(d), d.one(0, 1, 2, 3, math.inf)))
_case("cdist", _sets)
_case("_cdist_forward", lambda d: (*_sets(d), None))

# -- scans and sorting ---------------------------------------------------------------------------------------------


def _distinct(d: Drawer, shape: list[int]) -> Any:
    """Numbers without ties: topk, kthvalue, median and a sort that is not stable leave open which of equals they take.

    The file takes the first of them, everywhere.
    """
    count = math.prod(shape)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(d.int(0, 999)))
    return d.given((order.float() - count / 2).reshape(shape))


def _ordered(*, ties: bool = False) -> Any:
    def draw(d: Drawer) -> tuple[Any, int, int]:
        shape = d.shape()
        dim = d.dim(shape)
        return d.numbers(shape) if ties else _distinct(d, shape), dim, shape[dim] if shape else 1

    return draw


def _with_k(d: Drawer) -> tuple[Any, ...]:
    x, dim, length = _ordered()(d)
    return x, d.int(1, length), dim, d.flag()


_case("cumsum", lambda d: _ordered(ties=True)(d)[:2])
_case("cumprod", lambda d: _ordered(ties=True)(d)[:2])
_case("cummax cummin", lambda d: _ordered(ties=True)(d)[:2])
_case("sort argsort", lambda d: (*_ordered()(d)[:2], d.flag()))
_case(
    "sort.stable argsort.stable",
    lambda d: ((o := _ordered(ties=True)(d))[0], {"stable": True, "dim": o[1], "descending": d.flag()}),
)
_case("msort", lambda d: (d.numbers(d.shape(1)),))
_case("kthvalue", _with_k)
_case("topk", lambda d: (*_with_k(d), True))
_case("median", lambda d: (d.floats(),))
_case("median.dim", lambda d: (*_ordered()(d)[:2], d.flag()))


def _edges(d: Drawer, shape: list[int]) -> Any:
    return d.given(d.values(shape, torch.float32, -2, 2).sort(-1).values)


def _searched(d: Drawer) -> tuple[Any, ...]:
    lead = d.shape(0, 2, (1, 3))
    return _edges(d, [*lead, d.int(1, 5)]), d.floats([*lead, d.int(1, 4)], -3, 3), {"right": d.flag()}


_case("bucketize.Tensor", lambda d: (d.floats(low=-3, high=3), _edges(d, [4]), {"right": d.flag()}))
_case("bucketize.Scalar", lambda d: (d.one(0.5, -9, 9), _edges(d, [4]), {"out_int32": d.flag()}))
_case("searchsorted.Tensor", _searched)
_case("searchsorted.Scalar", lambda d: (_edges(d, [4]), d.one(0.5, -9, 9), {"right": d.flag()}))

# -- reading and writing by position -------------------------------------------------------------------------------


def _gathered(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1, 4)
    dim = d.dim(shape)
    wanted = [d.int(1, size) for size in shape]
    wanted[dim] = d.int(1, 4)
    return d.numbers(shape), dim, d.indices(wanted, shape[dim])


def _index_select(d: Drawer) -> tuple[Any, ...]:
    x, dim, length = _x_dim(d)
    return x, dim, d.indices([d.int(1, 4)], length)


def _indexed(d: Drawer) -> tuple[Any, ...]:
    """Index tensors on some axes, adjacent or not, negative positions among them."""
    shape = d.shape(1, 4)
    shared = d.shape(0, 2, (1, 3))
    chosen = {axis for axis in range(len(shape)) if d.flag()} or {0}
    indices = [d.indices(shared, size, True) if axis in chosen else None for axis, size in enumerate(shape)]
    while indices[-1] is None:
        indices.pop()
    return d.numbers(shape), indices


def _index_put(d: Drawer) -> tuple[Any, ...]:
    """Without accumulation all positions differ: which of several writes wins is not defined."""
    shape = d.shape(1, 3)
    axis, accumulate = d.int(0, len(shape) - 1), d.flag()
    length = shape[axis]
    if accumulate:
        index: Any = d.indices([d.int(1, 4)], length, True)
        count = index.tensor.numel()
    else:
        count = d.int(1, length)
        index = Fixed(torch.randperm(length)[:count] if length < 2 else torch.arange(length).flip(0)[:count])
    rest = [*([count] if axis == 0 else []), *shape[1:]] if axis == 0 else None
    indices = [None] * axis + [index]
    values = d.floats([*shape[:axis], count, *shape[axis + 1 :]] if rest is None else rest)
    return d.floats(shape), indices, d.one(values, d.floats([])), accumulate


def _along_axis(d: Drawer) -> tuple[Any, int, Any, list[int]]:
    """x, axis, distinct positions on it, and the shape of as many slices."""
    shape = d.shape(1, 4)
    dim = d.dim(shape)
    count = d.int(1, shape[dim])
    order = torch.randperm(shape[dim], generator=torch.Generator().manual_seed(d.int(0, 99)))[:count]
    index = Fixed(order) if d.flag() else d.given(order)
    wanted = list(shape)
    wanted[dim] = count
    return d.floats(shape), dim, index, wanted


def _scattered(d: Drawer) -> tuple[Any, ...]:
    x, dim, index, wanted = _along_axis(d)
    rank = len(wanted)
    view = [1] * rank
    view[dim] = wanted[dim]
    full = d.given(index.tensor.reshape(view).expand(wanted).contiguous())
    return x, dim, full, d.floats(wanted)


def _reduced(d: Drawer) -> tuple[Any, ...]:
    """Positions may repeat; the index is as large as the tensor on the other axes."""
    shape = d.shape(1, 3)
    dim = d.dim(shape)
    wanted = list(shape)
    wanted[dim] = d.int(1, 4)
    return d.floats(shape), dim, d.indices(wanted, shape[dim]), d.floats(wanted)


def _reduce_two(d: Drawer) -> tuple[Any, ...]:
    return *_reduced(d), d.one("sum", "mean", "prod", "amax", "amin"), {"include_self": d.flag()}


def _put(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1, 3)
    size = math.prod(shape)
    index = Fixed(torch.randperm(size, generator=torch.Generator().manual_seed(d.int(0, 99)))[: d.int(1, size)])
    return d.floats(shape), index, d.floats([len(index.tensor)]), d.flag()


def _masked_scatter(d: Drawer) -> tuple[Any, ...]:
    first, second = d.broadcasting(2)
    full = torch.broadcast_shapes(first, second)
    return d.floats(first), d.mask(second), d.floats([max(math.prod(full), 1)])


_case("gather", _gathered)
_case("index_select", _index_select)
_case("index.Tensor _unsafe_index.Tensor", _indexed)
_case("take", lambda d: ((x := d.numbers(d.shape(1))), d.indices(d.shape(0, 2), x.tensor.numel(), True)))
_case("one_hot", lambda d: (d.indices(d.shape(), 5), d.int(5, 7)))
_case("index_put _unsafe_index_put", _index_put)
_case("index_add", lambda d: (*(p := _along_axis(d))[:3], d.floats(p[3]), {"alpha": d.one(1, -2)}))
_case("index_copy", lambda d: (*(p := _along_axis(d))[:3], d.floats(p[3])))
_case("index_fill.int_Scalar", lambda d: (*_along_axis(d)[:3], d.one(0, -1.5)))
_case("index_fill.int_Tensor", lambda d: (*_along_axis(d)[:3], d.floats([])))
_case("scatter.src", _scattered)
_case("scatter.value", lambda d: (*_scattered(d)[:3], d.one(0, -1.5)))
_case("scatter_add", _reduced)
_case("scatter.reduce", lambda d: (*_reduced(d), {"reduce": d.one("add", "multiply")}))
_case("scatter.value_reduce", lambda d: (*_reduced(d)[:3], 1.5, {"reduce": d.one("add", "multiply")}))
_case("scatter_reduce.two", _reduce_two)
_case("put", _put)
_case("masked_scatter", _masked_scatter)


def _slice_scatter(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1, 4)
    dim = d.dim(shape)
    start, step = d.int(0, shape[dim] - 1), d.int(1, 2)
    end = d.int(start + 1, shape[dim])
    part = list(shape)
    part[dim] = len(range(start, end, step))
    return d.floats(shape), d.floats(part), dim, start, end, step


def _select_scatter(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(1, 4)
    dim = d.dim(shape)
    part = list(shape)
    del part[dim]
    return d.floats(shape), d.floats(part), dim, d.int(-shape[dim], shape[dim] - 1)


def _diagonal_scatter(d: Drawer) -> tuple[Any, ...]:
    x, *place = _diagonal(d)
    seen = x.tensor.permute(x.order)
    return x, d.floats(list(torch.diagonal(seen, *place).shape)), *place


_case("slice_scatter", _slice_scatter)
_case("select_scatter", _select_scatter)
_case("diagonal_scatter", _diagonal_scatter)

# -- embeddings ----------------------------------------------------------------------------------------------------


def _bags(d: Drawer) -> tuple[Any, ...]:
    """Bags of equal and of other lengths, empty ones among them (not all), padding in some."""
    lengths = [d.int(1, 4), *[d.int(0, 4) for _ in range(d.int(0, 2))]]
    lengths = d.one(lengths, [lengths[0]] * len(lengths))
    mode, last = d.int(0, 2), d.flag()
    offsets = torch.tensor([0, *lengths]).cumsum(0)[: None if last else -1]
    indices = d.given(d.values([sum(lengths)], torch.int64, 0, 5))
    table = d.weight(6, d.int(1, 4))
    table = Fixed(table.tensor.to(d.dtype(*FLOATS)))
    weights = d.maybe(lambda: d.floats([sum(lengths)], dtypes=[table.tensor.dtype])) if mode == 0 else None
    return table, indices, Fixed(offsets), False, mode, False, weights, last, d.one(None, 2)


_case("embedding", lambda d: (d.weight(6, d.int(1, 4)), d.given(d.values(d.shape(0, 3), torch.int64, 0, 5))))
_case("embedding_bag.padding_idx", _bags)

# -- matrices ------------------------------------------------------------------------------------------------------


def _matrix(d: Drawer, *shape: int) -> Any:
    """An operand of a product: an input, or a weight."""
    return d.weight(*shape) if d.flag() else d.floats(list(shape))


def _sizes(d: Drawer) -> tuple[int, int, int]:
    return d.int(1, 4), d.int(1, 4), d.int(1, 4)


def _matmul(d: Drawer) -> tuple[Any, ...]:
    n, k, m = _sizes(d)
    lead = d.broadcasting(2, 0, 2)
    left = d.one([k], [*lead[0], n, k])
    right = d.one([k], [*lead[1], k, m])
    return d.floats(left), _matrix(d, *right)


def _product(d: Drawer, batch: bool, added: bool) -> tuple[Any, ...]:
    n, k, m = _sizes(d)
    lead = [d.int(1, 3)] if batch else []
    product = (d.floats([*lead, n, k]), _matrix(d, *lead, k, m))
    if not added:
        return product
    first = _matrix(d, *d.one([m], [n, m], [1, m], [*lead, n, m]))
    return first, *product, {"beta": d.one(1, 0.5, 0), "alpha": d.one(1, -2)}


def _addbmm(d: Drawer) -> tuple[Any, ...]:
    (n, k, m), batch = _sizes(d), d.int(1, 3)
    return d.floats([n, m]), d.floats([batch, n, k]), d.floats([batch, k, m]), {"beta": 0.5, "alpha": d.one(1, 2)}


def _linear(d: Drawer) -> tuple[Any, ...]:
    _, k, m = _sizes(d)
    return d.floats([*d.shape(0, 3, (1, 3)), k]), d.weight(m, k), d.maybe(lambda: d.weight(m))


def _bilinear(d: Drawer) -> tuple[Any, ...]:
    n, k, m = _sizes(d)
    lead = d.shape(1, 2, (1, 3))
    return d.floats([*lead, n]), d.floats([*lead, k]), d.weight(m, n, k), d.maybe(lambda: d.weight(m))


def _vectors(d: Drawer) -> tuple[Any, ...]:
    n = d.int(1, 5)
    return d.floats([n]), d.floats([n])


def _attention(d: Drawer) -> tuple[Any, ...]:
    lead, heads, groups = d.shape(1, 1, (1, 2)), d.int(1, 2), d.int(1, 2)
    rows, columns, width = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    half = d.dtype(*FLOATS)
    query = d.floats([*lead, heads * groups, rows, width], dtypes=[half])
    key, value = (d.floats([*lead, heads, columns, width], dtypes=[half]) for _ in range(2))
    masks = [None, d.floats([rows, columns], dtypes=[half]), Fixed(torch.ones(rows, columns, dtype=torch.bool).tril())]
    causal = d.flag()
    mask = None if causal else d.one(*masks)
    return query, key, value, mask, 0.0, causal, {"scale": d.one(None, 0.3), "enable_gqa": groups > 1}


_case("mm", lambda d: _product(d, False, False))
_case("bmm", lambda d: _product(d, True, False))
_case("addmm", lambda d: _product(d, False, True))
_case("baddbmm", lambda d: _product(d, True, True))
_case("addbmm", _addbmm)
_case("matmul", _matmul)
_case("linear", _linear)
_case("bilinear", _bilinear)
_case("dot vdot", _vectors)
_case("mv", lambda d: (d.floats([d.int(1, 4), (k := d.int(1, 4))]), d.floats([k])))
_case("addmv", lambda d: (d.floats([(n := d.int(1, 4))]), d.floats([n, (k := d.int(1, 4))]), d.floats([k])))
_case("addr", lambda d: (d.numbers([(n := d.int(1, 4)), (m := d.int(1, 4))]), d.numbers([n]), d.numbers([m])))
_case("scaled_dot_product_attention", _attention)

# -- convolutions --------------------------------------------------------------------------------------------------


def _image(d: Drawer, axes: int, channels: int, low: int, high: int, batched: bool = False) -> Any:
    """[N, C, ...], or without the batch."""
    sizes = [d.int(low, high) for _ in range(axes)]
    return d.floats([d.int(1, 2), channels, *sizes] if batched or d.flag() else [channels, *sizes])


def _convolved(axes: int, padding: str = "numbers", batched: bool = False) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        groups, inside, outside = d.int(1, 3), d.int(1, 3), d.int(1, 3)
        kernel, dilation = [d.int(1, 3) for _ in range(axes)], [d.int(1, 2) for _ in range(axes)]
        x = _image(d, axes, groups * inside, 5, 8 if axes < 3 else 5, batched)
        weight, bias = d.weight(groups * outside, inside, *kernel), d.maybe(lambda: d.weight(groups * outside))
        if padding == "named":
            name = d.one("same", "valid")
            stride = [1 if name == "same" else d.int(1, 3) for _ in range(axes)]
            return x, weight, bias, stride, name, dilation, groups
        stride, pads = [d.int(1, 3) for _ in range(axes)], [d.int(0, 2) for _ in range(axes)]
        return x, weight, bias, stride, pads, dilation, groups

    return case


def _convolved_back(axes: int, batched: bool = False) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        groups, inside, outside = d.int(1, 2), d.int(1, 3), d.int(1, 3)
        kernel, dilation = [d.int(2, 3) for _ in range(axes)], [d.int(1, 2) for _ in range(axes)]
        stride, pads = [d.int(1, 3) for _ in range(axes)], [d.int(0, 1) for _ in range(axes)]
        extra = [d.int(0, max(s, e) - 1) for s, e in zip(stride, dilation, strict=True)]
        x = _image(d, axes, groups * inside, 2, 4, batched)
        weight, bias = d.weight(groups * inside, outside, *kernel), d.maybe(lambda: d.weight(groups * outside))
        return x, weight, bias, stride, pads, extra, groups, dilation

    return case


def _any_convolution(d: Drawer) -> tuple[Any, ...]:
    axes = d.int(1, 3)
    if d.flag():
        x, weight, bias, stride, pads, dilation, groups = _convolved(axes, batched=True)(d)
        transposed, extra = False, [0] * axes
    else:
        x, weight, bias, stride, pads, extra, groups, dilation = _convolved_back(axes, batched=True)(d)
        transposed = True
    return x, weight, bias, stride, pads, dilation, transposed, extra, groups


for _axes in (1, 2, 3):
    _case(f"conv{_axes}d", _convolved(_axes))
    _case(f"conv{_axes}d.padding", _convolved(_axes, "named"))
    _case(f"conv_transpose{_axes}d{'' if _axes == 1 else '.input'}", _convolved_back(_axes))
_case("convolution", _any_convolution)

# -- pooling -------------------------------------------------------------------------------------------------------


def _pooled(axes: int, kind: str) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        kernel = [d.int(2 if kind == "indices" else 1, 3) for _ in range(axes)]
        stride, pads = [d.int(1, 3) for _ in range(axes)], [d.int(0, size // 2) for size in kernel]
        ceil = d.flag()
        x = _image(d, axes, d.int(1, 3), 5, 7)
        if kind == "average":
            override = [d.one(None, 3)] if axes > 1 else []
            return x, kernel, stride, pads, ceil, d.flag(), *override
        return x, kernel, stride, pads, [d.int(1, 2) for _ in range(axes)], ceil

    return case


def _adaptive(axes: int) -> Case:
    return lambda d: (_image(d, axes, d.int(1, 3), 2, 7), [d.int(1, 5) for _ in range(axes)])


def _adaptive_indices(axes: int) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        sizes = [d.int(1, 2) for _ in range(axes)]
        x = _distinct(d, [1, 2, *(size * 2 for size in sizes)])
        return x, sizes

    return case


def _unpooled(axes: int) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        sizes = [d.int(1, 3) for _ in range(axes)]
        image = d.values([1, d.int(1, 2), *(size * 2 for size in sizes)], torch.float32, -2, 2)
        pool = torch.nn.functional.max_pool2d if axes == 2 else torch.nn.functional.max_pool3d
        values, indices = pool(image, 2, return_indices=True)
        size = list(image.shape[2:])
        rest = () if axes == 2 else ([2] * 3, [0] * 3)
        return d.given(values), d.given(indices), size, *rest

    return case


for _axes in (1, 2, 3):
    _case(f"avg_pool{_axes}d", _pooled(_axes, "average"))
    _case(f"max_pool{_axes}d", _pooled(_axes, "max"))
    _case(f"max_pool{_axes}d_with_indices", _pooled(_axes, "indices"))
    _case(f"adaptive_avg_pool{_axes}d", _adaptive(_axes))
    _case(f"adaptive_max_pool{_axes}d", _adaptive_indices(_axes))
_case("_adaptive_avg_pool2d", _adaptive(2))
_case("_adaptive_avg_pool3d", _adaptive(3))
_case("max_unpool2d", _unpooled(2))
_case("max_unpool3d", _unpooled(3))

# -- resizing ------------------------------------------------------------------------------------------------------

_RESIZED = {
    "upsample_nearest": (1, 2, 3), "_upsample_nearest_exact": (1, 2, 3), "upsample_linear": (1,),
    "upsample_bilinear": (2,), "upsample_trilinear": (3,), "upsample_bicubic": (2,), "_upsample_bilinear": (2,),
    "_upsample_bicubic": (2,),
}  # fmt: skip


def _resized(axes: int, corners: bool, vector: bool, antialiased: bool) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        low = 2 if antialiased else 1
        shape = [1, d.int(1, 3), *[d.int(low, 5 if axes < 3 else 3) for _ in range(axes)]]
        # PyTorch's antialiased kernels give wrong numbers for inputs with some strides (2.15), so none is drawn there.
        x = _as_it_is(d.values(shape, torch.float32, -2, 2)) if antialiased else d.floats(shape)
        size = [d.int(low, 8 if axes < 3 else 5) for _ in range(axes)]
        aligned = [d.flag()] if corners else []
        if vector:
            factors = [d.one(2.0, 1.5, 3.0) for _ in range(axes)]
            return x, *d.one((size, *aligned, None), (None, *aligned, factors))
        return x, size, *aligned, *[None] * axes

    return case


for _name, _ranks in _RESIZED.items():
    for _axes in _ranks:
        _smooth = "nearest" not in _name
        _end = "_aa" if _name.startswith("_upsample_bi") else ""
        _case(f"{_name}{_axes}d{_end}", _resized(_axes, _smooth, False, bool(_end)))
        _case(f"{_name}{_axes}d{_end}.vec", _resized(_axes, _smooth, True, bool(_end)))

# -- vision --------------------------------------------------------------------------------------------------------


def _sampled(d: Drawer) -> tuple[Any, ...]:
    """Positions a little off the half pixels, where nearest would turn on the last bit."""
    n = d.int(1, 2)
    grid = d.floats([n, d.int(1, 4), d.int(1, 4), 2], -1.3, 1.3)
    return d.floats([n, d.int(1, 3), d.int(2, 5), d.int(2, 5)]), grid, d.int(0, 2), d.int(0, 2), d.flag()


def _folding(d: Drawer) -> tuple[list[int], ...]:
    return [d.int(1, 3), d.int(1, 3)], [d.int(1, 2), d.int(1, 2)], [d.int(0, 1), d.int(0, 1)], [d.int(1, 2)] * 2


def _col2im(d: Drawer) -> tuple[Any, ...]:
    size, channels, options = [d.int(5, 7), d.int(5, 7)], d.int(1, 3), _folding(d)
    columns = torch.nn.functional.unfold(torch.zeros(1, channels, *size), *options).shape
    return d.floats(list(columns)), size, *options


def _affine(d: Drawer) -> tuple[Any, ...]:
    n = d.int(1, 2)
    return d.floats([n, 2, 3]), [n, 3, d.int(1, 5), d.int(1, 5)], d.flag()


def _shuffled(d: Drawer) -> tuple[Any, ...]:
    groups = d.int(1, 3)
    return d.floats([d.int(1, 2), groups * d.int(1, 3), 3, 2]), groups


def _pixel_shuffle(d: Drawer) -> tuple[Any, ...]:
    factor = d.int(1, 3)
    return _of_any(d, [*d.shape(0, 1), d.int(1, 3) * factor**2, d.int(1, 3), d.int(1, 3)]), factor


def _pixel_unshuffle(d: Drawer) -> tuple[Any, ...]:
    factor = d.int(1, 3)
    return _of_any(d, [*d.shape(0, 1), d.int(1, 3), factor * d.int(1, 3), factor * d.int(1, 2)]), factor


_case("grid_sampler", _sampled)
_case("grid_sampler_2d", _sampled)
_case("affine_grid_generator", _affine)
_case("channel_shuffle native_channel_shuffle", _shuffled)
_case("pixel_shuffle", _pixel_shuffle)
_case("pixel_unshuffle", _pixel_unshuffle)
_case("im2col", lambda d: (d.floats([d.int(1, 2), d.int(1, 3), d.int(5, 7), d.int(5, 7)]), *_folding(d)))
_case("col2im", _col2im)

# -- norms ---------------------------------------------------------------------------------------------------------


def _normed(d: Drawer) -> tuple[Any, list[int]]:
    shape = d.shape(1, 4, (2, 4))
    return d.floats(shape), shape[d.int(0, len(shape) - 1) :]


def _batch_normed(*more: Any) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        shape = d.shape(2, 4)
        channels = shape[1]
        affine = d.flag()
        scale = [d.weight(channels) if affine else None for _ in range(2)]
        return d.floats(shape), *scale, d.weight(channels), d.weight(channels, low=0.5, high=2), *more

    return case


def _instance_normed(d: Drawer) -> tuple[Any, ...]:
    shape = d.shape(3, 4, (2, 4))
    scale = [d.weight(shape[1]) if d.flag() else None for _ in range(2)]
    return d.floats(shape), *scale, None, None, True, 0.1, 1e-5, False


def _group_normed(d: Drawer) -> tuple[Any, int, list[Any]]:
    groups, inside = d.int(1, 3), d.int(2, 3)
    channels = groups * inside
    affine = d.flag()
    scale = [d.weight(channels) if affine else None for _ in range(2)]
    return d.floats([d.int(1, 2), channels, *d.shape(0, 3)]), groups, scale


def _native_group_normed(d: Drawer) -> tuple[Any, ...]:
    x, groups, scale = _group_normed(d)
    n, channels, *space = x.tensor.permute(x.order).shape
    return x, *scale, n, channels, math.prod(space), groups, 1e-5


def _layer_normed(d: Drawer) -> tuple[Any, ...]:
    x, shape = _normed(d)
    return x, shape, d.maybe(lambda: d.weight(*shape)), d.maybe(lambda: d.weight(*shape)), 1e-5


def _rms_normed(d: Drawer) -> tuple[Any, ...]:
    x, shape = _normed(d)
    return x, shape, d.maybe(lambda: d.weight(*shape)), d.one(None, 1e-5)


_case("batch_norm", _batch_normed(False, 0.1, 1e-5, False))
_case("_native_batch_norm_legit_no_training", _batch_normed(0.1, 1e-5))
_case("instance_norm", _instance_normed)
_case("group_norm", lambda d: ((g := _group_normed(d))[0], g[1], *g[2]))
_case("native_group_norm", _native_group_normed)
_case("layer_norm native_layer_norm", _layer_normed)
_case("rms_norm", _rms_normed)

# -- recurrent -----------------------------------------------------------------------------------------------------

_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def _recurrent(kind: str) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        layers, directions = d.int(1, 2), d.int(1, 2)
        steps, batch, features, size = d.int(1, 4), d.int(1, 2), d.int(1, 4), d.int(2, 4)
        biases, batch_first = d.flag(), d.flag()
        projected = kind == "lstm" and d.flag()
        shown = size - 1 if projected else size
        params, width = [], features
        for _ in range(layers):
            for _ in range(directions):
                gates = _GATES[kind] * size
                params += [d.weight(gates, width), d.weight(gates, shown)]
                params += [d.weight(gates), d.weight(gates)] if biases else []
                params += [d.weight(shown, size)] if projected else []
            width = shown * directions
        widths = [shown, size] if kind == "lstm" else [size]
        state = [_matrix(d, layers * directions, batch, width) for width in widths]
        shape = [batch, steps, features] if batch_first else [steps, batch, features]
        given = state if kind == "lstm" else state[0]
        return d.floats(shape), given, params, biases, layers, 0.0, False, directions == 2, batch_first

    return case


def _cell(kind: str) -> Case:
    def case(d: Drawer) -> tuple[Any, ...]:
        batch, features, size = d.int(1, 3), d.int(1, 4), d.int(1, 4)
        gates = _GATES[kind] * size
        biases = [d.weight(gates), d.weight(gates)] if d.flag() else [None, None]
        state = [d.floats([batch, size]) for _ in range(2 if kind == "lstm" else 1)]
        given = state if kind == "lstm" else state[0]
        return d.floats([batch, features]), given, d.weight(gates, features), d.weight(gates, size), *biases

    return case


for _name in _GATES:
    _case(f"{_name}.input", _recurrent(_name))
    _case(f"{_name}_cell", _cell(_name))
