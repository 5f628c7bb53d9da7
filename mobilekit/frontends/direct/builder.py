"""What lowerings build with: constants, ops, and moving values between axis orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.frontends.direct.registry import UnsupportedError
from mobilekit.frontends.direct.values import Order, Value, channels_last_order, identity_order, moves_only_ones
from mobilekit.graph.ir import Graph, Op, Quantization, Tensor
from mobilekit.source import SourceLocation

_INT32 = np.iinfo(np.int32)


class Builder:
    """Appends ops to ``graph``. The walk sets :attr:`scope` and :attr:`source` before each lowering."""

    def __init__(self, name: str) -> None:
        self.graph = Graph(name=name)
        self.scope = ""
        self.source: SourceLocation | None = None
        self.expected: Any = None
        """What PyTorch gives for the op being lowered: a tensor without data (or a nesting of them)."""
        self.operand: Any = None
        """PyTorch's first operand of that op, likewise; its strides say how PyTorch lays it out."""
        self.narrowed: list[str] = []
        """Values that are int64 in PyTorch and int32 in the file."""
        self.given_scales: list[Quantization] = []
        """Symmetric scales that the model itself gives its constants."""
        self.wide_op: str | None = None
        """The op being lowered, where it computes in int64; the walk sets it."""
        self.wide: dict[Op, str] = {}
        """Ops that stand for int64 arithmetic -> PyTorch's op: int32 must not overflow there."""
        self.bounds: dict[Tensor, tuple[int, int]] = {}
        """What a lowering knows of an integer beyond what intervals tell."""
        self._names: dict[str, int] = {}
        self._reordered: dict[tuple[Tensor, Order, Order], Value] = {}

    # -- tensors -----------------------------------------------------------------------------------------------

    def unique_name(self, base: str) -> str:
        """``base``, or ``base_1``, ``base_2``... if it is taken."""
        count = self._names.get(base, 0)
        self._names[base] = count + 1
        return base if count == 0 else self.unique_name(f"{base}_{count}")

    def constant(self, array: Any, name: str = "") -> Tensor:
        """A constant tensor. int64 and float64 become int32 and float32, which is what TFLite kernels take."""
        data = np.asarray(array)
        if data.dtype == np.int64:
            if data.size and (data.min() < _INT32.min or data.max() > _INT32.max):
                raise UnsupportedError(
                    "it holds integers outside int32, which the file computes in",
                    "keep such numbers below 2**31 (a smaller multiplier, a base subtracted), or compute it in the app",
                )
            data = data.astype(np.int32)
        elif data.dtype == np.float64:
            data = data.astype(np.float32)
        label = self.unique_name(name or f"{self.scope}/const")
        return Tensor(label, tuple(data.shape), data.dtype.name, data)

    def constant_value(self, array: NDArray[Any], name: str = "", dtype: str | None = None) -> Value:
        """A constant as PyTorch sees it."""
        tensor = self.constant(array, name)
        return Value(tensor, identity_order(tensor.rank), dtype or array.dtype.name)

    def emit(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        shape: Sequence[int],
        dtype: str | None = None,
        **options: Any,
    ) -> Tensor:
        """Append an op with one output of ``shape`` (stored order); dtype is the first input's unless given."""
        return self.emit_many(kind, inputs, [shape], [dtype], **options)[0]

    def emit_many(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        shapes: Sequence[Sequence[int]],
        dtypes: Sequence[str | None],
        **options: Any,
    ) -> list[Tensor]:
        """Append an op with several outputs."""
        default = next(tensor.dtype for tensor in inputs if tensor is not None)
        outputs = [
            Tensor(self.unique_name(self.scope or kind.lower()), tuple(int(d) for d in shape), dtype or default)
            for shape, dtype in zip(shapes, dtypes, strict=True)
        ]
        op = Op(kind, list(inputs), outputs, options, self.source)
        self.graph.ops.append(op)
        if self.wide_op is not None:
            self.wide[op] = self.wide_op
        return outputs

    def value(self, tensor: Tensor, order: Order | None = None, dtype: str | None = None) -> Value:
        """A result; ``dtype`` is what PyTorch calls it, by default what is stored."""
        return Value(tensor, order if order is not None else identity_order(tensor.rank), dtype or tensor.dtype)

    def like(self, source: Value, tensor: Tensor) -> Value:
        """A result stored in the same order and seen as the same dtype as ``source``."""
        return Value(tensor, source.order, source.dtype)

    # -- moving between orders ---------------------------------------------------------------------------------

    def reorder(self, value: Value, order: Order) -> Value:
        """The same value stored in ``order``: for free if it is constant or only axes of size one move."""
        if value.order == order:
            return value
        key = (value.tensor, value.order, order)
        if key in self._reordered:
            return self._reordered[key]
        permutation = [value.order.index(logical) for logical in order]
        result = Value(self.transpose(value.tensor, permutation), order, value.dtype)
        self._reordered[key] = result
        return result

    def transpose(self, tensor: Tensor, permutation: Sequence[int]) -> Tensor:
        """Permute stored axes: output axis i is input axis ``permutation[i]``."""
        if list(permutation) == list(range(tensor.rank)):
            return tensor
        shape = tuple(tensor.shape[axis] for axis in permutation)
        if tensor.data is not None:
            moved = np.ascontiguousarray(tensor.data.transpose(permutation))
            return Tensor(self.unique_name(tensor.name), shape, tensor.dtype, moved)
        if moves_only_ones(tensor.shape, permutation):
            return self.reshape(tensor, shape)
        return self.emit("TRANSPOSE", [tensor, self.constant(np.array(permutation, np.int32))], shape)

    def reshape(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Another shape over the same bytes."""
        shape = tuple(int(d) for d in shape)
        if shape == tensor.shape:
            return tensor
        if tensor.data is not None:
            return Tensor(self.unique_name(tensor.name), shape, tensor.dtype, tensor.data.reshape(shape))
        wanted = np.array(shape, np.int32)
        return self.emit("RESHAPE", [tensor, self.constant(wanted)], shape, new_shape=wanted)

    def logical(self, value: Value) -> Tensor:
        """The tensor stored as PyTorch sees it."""
        return self.reorder(value, identity_order(value.rank)).tensor

    def channels_last(self, value: Value) -> Tensor:
        """The tensor stored channels last (NHWC for rank 4)."""
        return self.reorder(value, channels_last_order(value.rank)).tensor

    def last(self, value: Value, dim: int) -> Value:
        """The value with PyTorch's axis ``dim`` stored last, the others as they are."""
        dim %= value.rank
        return self.reorder(value, (*(axis for axis in value.order if axis != dim), dim))

    def align(self, values: Sequence[Value]) -> tuple[list[Tensor], Order]:
        """Bring operands that PyTorch broadcasts together into one order and one rank.

        The order is that of the largest operand that is no constant (of those of full rank), so that the smaller ones
        move. Missing leading axes are added as ones.
        """
        rank = max(value.rank for value in values)
        leading = max(values, key=lambda v: (v.rank == rank and not v.is_constant, v.rank, v.tensor.size))
        order = leading.order
        return [self._fit(value, rank, order) for value in values], order

    def _fit(self, value: Value, rank: int, order: Order) -> Tensor:
        if value.rank == rank:
            return self.reorder(value, order).tensor
        if value.tensor.size == 1:
            return self.reshape(value.tensor, ())
        missing = rank - value.rank
        wide = self.reshape(value.tensor, (1,) * missing + value.tensor.shape)
        wide_order = (*range(missing), *(axis + missing for axis in value.order))
        return self.reorder(Value(wide, wide_order, value.dtype), order).tensor

    def scalar(self, number: float | int | bool, dtype: str) -> Tensor:
        """A 0-d constant of a stored dtype."""
        return self.constant(np.array(number, np.dtype(dtype)))
