"""Reading by position: gather, advanced indexing, select by index.

TFLite's GATHER takes whole slices along one stored axis, in any axis order, so an index on one axis never transposes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.cast import convert
from mobilekit.frontends.direct.ops.shape import lower_permute, reshape_value
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, identity_order
from mobilekit.graph.ir import Tensor

_STRIDED_ADVICE = "write it with reshape, expand and slices"


def positions(b: Builder, index: Value, length: int) -> Tensor:
    """An index of PyTorch, negative counting from the end, as TFLite's int32 from zero, in logical order."""
    tensor = b.logical(index)
    if tensor.data is not None:
        data = tensor.data.astype(np.int64)
        if data.size and (data.min() < -length or data.max() >= length):
            raise UnsupportedError(f"an index outside an axis of {length}")
        return b.constant(np.where(data < 0, data + length, data).astype(np.int32), tensor.name)
    number = convert(b, tensor, "int32")
    return b.emit("FLOOR_MOD", [number, b.scalar(length, "int32")], number.shape)


def take(b: Builder, x: Value, dim: int, index: Any) -> Value:
    """``x`` at constant positions (a NumPy array of any rank, none negative) along ``dim``."""
    return gather_slices(b, x, dim, b.constant(np.asarray(index, np.int32)))


def gather_slices(b: Builder, x: Value, dim: int, index: Tensor) -> Value:
    """GATHER along one axis: the axis is replaced by those of ``index``, in PyTorch's order and in storage."""
    dim %= x.rank
    axis = x.axis(dim)
    extra = index.rank - 1
    shape = (*x.tensor.shape[:axis], *index.shape, *x.tensor.shape[axis + 1 :])
    out = b.emit("GATHER", [x.tensor, index], shape, axis=axis, batch_dims=0)
    if index.rank == 0:
        order = tuple(a - (a > dim) for a in x.order if a != dim)
        return Value(out, order, x.dtype)
    order_list: list[int] = []
    for logical in x.order:
        if logical == dim:
            order_list += range(dim, dim + extra + 1)
        else:
            order_list.append(logical + extra if logical > dim else logical)
    return Value(out, tuple(order_list), x.dtype)


@lowers("aten.index_select.default")
def lower_index_select(b: Builder, x: Value, dim: int, index: Value) -> Value:
    if x.rank == 0:
        return x
    found = positions(b, index, x.shape[dim])
    return gather_slices(b, x, dim, b.reshape(found, (found.size,)))


@lowers("aten.index.Tensor", "aten._unsafe_index.Tensor")
def lower_index(b: Builder, x: Value, indices: Sequence[Value | None]) -> Value:
    """One index tensor is a GATHER. Several pick points: their axes go first, one position each, then GATHER."""
    indices = _without_masks(indices)
    dims = [dim for dim, index in enumerate(indices) if index is not None]
    given = [index for index in indices if index is not None]
    if len(dims) == 1:
        return gather_slices(b, x, dims[0], positions(b, given[0], x.shape[dims[0]]))
    flat, sizes = joined_axes(b, x, dims)
    picked = gather_slices(b, flat, 0, linear_positions(b, given, sizes))
    # Adjacent indices leave their axes where they stood, separated ones bring them to the front.
    shared = picked.rank - (x.rank - len(dims))
    if dims[-1] - dims[0] != len(dims) - 1 or dims[0] == 0:
        return picked
    before = range(shared, shared + dims[0])
    return lower_permute(b, picked, [*before, *range(shared), *range(shared + dims[0], picked.rank)])


def _without_masks(indices: Sequence[Value | None]) -> list[Value | None]:
    """Constant masks as positions; masks that are computed pick a number of elements that nobody knows."""
    result: list[Value | None] = []
    for index in indices:
        if index is None or index.dtype not in ("bool", "uint8"):
            result.append(index)
            continue
        if index.tensor.data is None:
            raise UnsupportedError(
                "a mask as index: the size of the result depends on the data",
                "use torch.where(mask, x, other), which keeps the shape",
            )
        mask = index.tensor.data.transpose(index.axes(range(index.rank)))
        for found in np.nonzero(mask):
            data = found.astype(np.int32)
            result.append(Value(Tensor(f"{index.tensor.name}/at", data.shape, "int32", data), (0,), "int64"))
    return result


def joined_axes(b: Builder, x: Value, dims: Sequence[int]) -> tuple[Value, list[int]]:
    """``x`` with PyTorch's axes ``dims`` first and flattened into one, and their sizes."""
    others = [dim for dim in range(x.rank) if dim not in dims]
    front = lower_permute(b, x, [*dims, *others])
    sizes = [x.shape[dim] for dim in dims]
    return reshape_value(b, front, (math.prod(sizes), *(x.shape[dim] for dim in others))), sizes


def linear_positions(b: Builder, indices: Sequence[Value], sizes: Sequence[int]) -> Tensor:
    """Positions in the flattened axes: sum of index times stride, all broadcast together."""
    found = [positions(b, index, size) for index, size in zip(indices, sizes, strict=True)]
    total: Tensor | None = None
    stride = 1
    for tensor, size in zip(reversed(found), reversed(sizes), strict=True):
        step = tensor if stride == 1 else _combine(b, "MUL", tensor, b.scalar(stride, "int32"))
        total = step if total is None else _combine(b, "ADD", step, total)
        stride *= size
    assert total is not None
    return total


def _combine(b: Builder, kind: str, x: Tensor, y: Tensor) -> Tensor:
    if x.data is not None and y.data is not None:
        return b.constant(x.data * y.data if kind == "MUL" else x.data + y.data)
    return b.emit(kind, [x, y], np.broadcast_shapes(x.shape, y.shape), fused_activation_function="NONE")


@lowers("aten.gather.default")
def lower_gather(b: Builder, x: Value, dim: int, index: Value, sparse_grad: bool) -> Value:
    """out[i][j] = x[i][index[i][j]] for dim 1: one GATHER with the other axes as a batch."""
    if x.rank == 0:
        return Value(b.reshape(x.tensor, index.shape), identity_order(index.rank), x.dtype)
    dim %= x.rank
    others = [axis for axis in range(x.rank) if axis != dim]
    trimmed = b.reorder(_trim(b, x, index, dim), (*others, dim))
    found = positions(b, Value(*_moved_last(b, index, dim), index.dtype), x.shape[dim])
    batch = math.prod(index.shape[axis] for axis in others)
    rows = b.reshape(trimmed.tensor, (batch, x.shape[dim]))
    wanted = b.reshape(found, (batch, index.shape[dim]))
    out = b.emit("GATHER", [rows, wanted], wanted.shape, rows.dtype, axis=1, batch_dims=1)
    return Value(b.reshape(out, [index.shape[axis] for axis in (*others, dim)]), (*others, dim), x.dtype)


def _moved_last(b: Builder, x: Value, dim: int) -> tuple[Tensor, tuple[int, ...]]:
    """The stored tensor with ``dim`` last, as if PyTorch saw it so."""
    others = [axis for axis in range(x.rank) if axis != dim]
    return b.reorder(x, (*others, dim)).tensor, identity_order(x.rank)


def _trim(b: Builder, x: Value, index: Value, dim: int) -> Value:
    """PyTorch lets the index be smaller than ``x`` on the other axes."""
    shape = [x.shape[axis] if axis == dim else index.shape[axis] for axis in range(x.rank)]
    if tuple(shape) == x.shape:
        return x
    stored = [shape[axis] for axis in x.order]
    begin, size = b.constant(np.zeros(x.rank, np.int32)), b.constant(np.array(stored, np.int32))
    return b.like(x, b.emit("SLICE", [x.tensor, begin, size], stored))


@lowers("aten.take.default")
def lower_take(b: Builder, x: Value, index: Value) -> Value:
    flat = b.value(b.reshape(b.logical(x), (x.tensor.size,)), dtype=x.dtype)
    return gather_slices(b, flat, 0, positions(b, index, x.tensor.size))


@lowers("aten.as_strided.default")
def lower_as_strided(b: Builder, x: Value, size: Sequence[int], stride: Sequence[int], offset: int | None) -> Value:
    """Read at constant positions of the flattened tensor, which must be all of its memory, in its order."""
    given = b.operand
    if not given.is_contiguous() or given.storage_offset() or given.untyped_storage().nbytes() != given.nbytes:
        raise UnsupportedError("as_strided of a view, in terms of the memory behind it", _STRIDED_ADVICE)
    where = np.full((1,) * len(size), offset or 0, np.int64)
    for axis, (length, step) in enumerate(zip(size, stride, strict=True)):
        shape = [1] * len(size)
        shape[axis] = length
        where = where + (np.arange(length) * step).reshape(shape)
    if where.max(initial=0) >= x.tensor.size:
        raise UnsupportedError(
            "as_strided beyond the elements of its input, into memory that is not in the graph", _STRIDED_ADVICE
        )
    flat = b.value(b.reshape(b.logical(x), (x.tensor.size,)), dtype=x.dtype)
    return take(b, flat, 0, where)


@lowers("aten.unfold.default")
def lower_unfold(b: Builder, x: Value, dim: int, size: int, step: int) -> Value:
    """Windows along an axis; the positions inside a window become the last axis."""
    if x.rank == 0:
        return reshape_value(b, x, (size,))
    dim %= x.rank
    count = (x.shape[dim] - size) // step + 1
    windows = take(b, x, dim, np.arange(count)[:, None] * step + np.arange(size)[None, :])
    order = [axis for axis in range(windows.rank) if axis != dim + 1]
    return lower_permute(b, windows, [*order, dim + 1])


@lowers("aten.diagonal.default")
def lower_diagonal(b: Builder, x: Value, offset: int, dim1: int, dim2: int) -> Value:
    """Both axes flattened into one, then every (columns + 1)-th element; the diagonal becomes the last axis."""
    dim1, dim2 = dim1 % x.rank, dim2 % x.rank
    flat, (rows, columns) = joined_axes(b, x, [dim1, dim2])
    first, start = max(0, -offset), max(0, offset)
    length = max(0, min(rows - first, columns - start))
    steps = np.arange(length)
    picked = take(b, flat, 0, (first + steps) * columns + start + steps)
    return lower_permute(b, picked, [*range(1, picked.rank), 0])


@lowers("aten.one_hot.default")
def lower_one_hot(b: Builder, x: Value, classes: int) -> Value:
    if classes < 0:
        raise UnsupportedError("one_hot without num_classes: its width depends on the data", "give num_classes")
    index = convert(b, b.logical(x), "int32")
    ends = [b.scalar(value, "int32") for value in (classes, 1, 0)]
    out = b.emit("ONE_HOT", [index, *ends], (*x.shape, classes), "int32", axis=-1)
    return b.value(out, dtype="int64")


@lowers(
    "aten.nonzero.default",
    "aten.masked_select.default",
    "aten._unique2.default",
    "aten.unique_dim.default",
    "aten.unique_consecutive.default",
    "aten.bincount.default",
)
def lower_data_dependent(b: Builder, *arguments: Any) -> Value:
    raise UnsupportedError("the shape of its result depends on the data")
