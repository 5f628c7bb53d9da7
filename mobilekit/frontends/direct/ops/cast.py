"""Casts between dtypes, exactly as PyTorch casts; and the checks that torch.export leaves beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import computed, is_float, name_of, stored
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value
from mobilekit.graph.ir import Tensor


def cast(b: Builder, x: Value, dtype: str) -> Value:
    """``x`` as PyTorch's ``dtype``.

    float to integer truncates and goes through int32, so that 8 and 16 bit results wrap as they do in PyTorch (TFLite's
    own float-to-int8 saturates). float16 rounds and comes back, since it is held as float32; bfloat16 is not rounded.
    """
    if x.dtype == dtype:
        return x
    if dtype.startswith("complex"):
        raise UnsupportedError("a complex tensor", "carry the real and the imaginary part as two tensors")
    tensor = x.tensor
    if is_float(x.dtype) and not is_float(dtype) and dtype != "bool":
        tensor = convert(b, tensor, "int32")
    if dtype == "float16" and x.dtype != "bool":
        tensor = convert(b, convert(b, tensor, "float16"), "float32")
    return Value(convert(b, tensor, stored(dtype)), x.order, dtype)


def convert(b: Builder, tensor: Tensor, dtype: str) -> Tensor:
    """One CAST of the stored tensor; constants are cast here and now."""
    if tensor.dtype == dtype:
        return tensor
    if tensor.data is not None:
        with np.errstate(invalid="ignore", over="ignore"):
            return b.constant(tensor.data.astype(dtype), tensor.name)
    return b.emit("CAST", [tensor], tensor.shape, dtype, in_data_type=tensor.dtype, out_data_type=dtype)


def for_arithmetic(b: Builder, x: Value) -> Tensor:
    """The stored tensor in the dtype that arithmetic is done in (int32 or float32)."""
    return convert(b, x.tensor, computed(x.dtype))


def from_arithmetic(b: Builder, tensor: Tensor, x: Value, dtype: str | None = None) -> Value:
    """A result of arithmetic as a Value like ``x``: 8 and 16 bit integers wrap."""
    named = dtype or x.dtype
    return Value(convert(b, tensor, stored(named)), x.order, named)


def to_requested(b: Builder, x: Value, dtype: Any) -> Value:
    """For the optional ``dtype`` argument of many ops."""
    return x if dtype is None else cast(b, x, name_of(dtype))


@lowers("aten.to.dtype", "aten.to.dtype_layout", "aten.to.device", "aten.to.other", "aten._to_copy.default")
def lower_to(b: Builder, x: Value, *arguments: Any) -> Value:
    """The overloads differ only in where the dtype stands; device, layout and memory format mean nothing here."""
    for argument in arguments:
        if isinstance(argument, torch.dtype):
            return cast(b, x, name_of(argument))
        if isinstance(argument, Value):
            return cast(b, x, argument.dtype)
    return x


@lowers("aten.type_as.default")
def lower_type_as(b: Builder, x: Value, other: Value) -> Value:
    return cast(b, x, other.dtype)


@lowers("prims.convert_element_type.default")
def lower_convert_element_type(b: Builder, x: Value, dtype: torch.dtype) -> Value:
    return cast(b, x, name_of(dtype))


@lowers(
    "aten._assert_tensor_metadata.default",
    "aten._assert_async.msg",
    "aten._assert_scalar.default",
    "aten.sym_constrain_range.default",
    "aten.sym_constrain_range_for_size.default",
)
def lower_nothing(b: Builder, *arguments: Any) -> None:
    """Checks on the example, done while it was captured."""
