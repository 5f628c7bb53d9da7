"""Dynamic dimensions by lowering twice: what differs between two sizes is what depends on the size.

The program is lowered at the example's size and at another one. The two graphs must have the same ops; a dimension
that differs becomes dynamic (-1), and so does the one entry of a reshape that follows it. Anything else that differs
cannot be said in a .tflite file of open shapes, and is an error that names the op.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from mobilekit.errors import CaptureError, UnsupportedOp, UnsupportedOpsError
from mobilekit.frontends.direct.lower import Lowered
from mobilekit.graph.ir import Graph, Op, Tensor


@dataclass(frozen=True)
class DynamicAxes:
    """Which axes of which flattened argument are open, with a size for each other than the example's."""

    sizes: dict[int, dict[int, int]]
    """Position among the flattened arguments -> axis (PyTorch's) -> the size."""

    def resized(self, leaves: list[Any]) -> list[Any]:
        """The example at this size: its values, repeated and cut."""
        return [_resize(leaf, self.sizes.get(position, {})) for position, leaf in enumerate(leaves)]


def _resize(leaf: Any, axes: dict[int, int]) -> Any:
    for axis, size in axes.items():
        repeats = -(-size // leaf.shape[axis])
        leaf = torch.cat([leaf] * repeats, axis).narrow(axis, 0, size)
    return leaf


def dynamic_axes(program: ExportedProgram) -> tuple[DynamicAxes, DynamicAxes]:
    """The open axes of a program that was exported with ``dynamic_shapes``, at two further sizes.

    The first doubles each dimension, which keeps what it must be divisible by, and is what the graph is compared at.
    The second is one more, which keeps nothing, and is for verifying. :class:`CaptureError` if no axis is open.
    """
    return _axes(program, lambda size: 2 * size, lambda size: size // 2), _axes(
        program, lambda size: size + 1, lambda size: size - 1
    )


def _axes(program: ExportedProgram, grow: Callable[[int], int], shrink: Callable[[int], int]) -> DynamicAxes:
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    sizes: dict[int, dict[int, int]] = {}
    leaf = 0
    for spec in program.graph_signature.input_specs:
        if spec.kind != InputKind.USER_INPUT:
            continue
        value = values.get(spec.arg.name)
        if isinstance(value, torch.Tensor):
            dims: tuple[Any, ...] = tuple(value.shape)  # torch says int, an open dimension is a SymInt
            axes = {
                axis: _other_size(dim, program, grow, shrink)
                for axis, dim in enumerate(dims)
                if isinstance(dim, torch.SymInt) and dim.node.expr.free_symbols
            }
            if axes:
                sizes[leaf] = axes
        leaf += 1
    if not sizes:
        raise CaptureError("dynamic_shapes names no dimension that stayed open; see torch.export.Dim")
    return DynamicAxes(sizes)


def _other_size(
    dim: torch.SymInt, program: ExportedProgram, grow: Callable[[int], int], shrink: Callable[[int], int]
) -> int:
    """The dimension with every symbol grown, or shrunk where that is above its limit."""
    environment = dim.node.shape_env
    if environment is None:
        raise CaptureError("the program's dynamic dimensions carry no example sizes: capture it again")
    substitutes = {}
    for symbol in dim.node.expr.free_symbols:
        hint = int(environment.backed_var_to_val[symbol])
        bounds = program.range_constraints.get(symbol)
        upper = float("inf") if bounds is None else float(bounds.upper)
        substitutes[symbol] = grow(hint) if grow(hint) <= upper else shrink(hint)
    return int(dim.node.expr.subs(substitutes))


def merge_sizes(first: Lowered, second: Lowered) -> Lowered:
    """``first`` with every dimension open that differs from ``second``.

    Given     y: [1, 8] = RESHAPE(x: [1, 2, 4], [1, 8])   and   y: [2, 8] = RESHAPE(x: [2, 2, 4], [2, 8])
    Result    y: [?, 8] = RESHAPE(x: [?, 2, 4], [-1, 8])

    Raises :class:`UnsupportedOpsError` naming each op whose options, constants or place depend on the size.
    """
    problems = list(_merge_graphs(first.graph, second.graph))
    if problems:
        raise UnsupportedOpsError(problems)
    first.graph.check()
    return first


def _merge_graphs(one: Graph, two: Graph) -> Iterator[UnsupportedOp]:
    if one.subgraphs:
        op = next(op for op in one.ops if op.kind in ("IF", "WHILE"))
        yield _problem(op, "the bodies of control flow hold fixed sizes")
        return
    if [op.kind for op in one.ops] != [op.kind for op in two.ops]:
        kinds = [(a, b) for a, b in zip(one.ops, two.ops, strict=False) if a.kind != b.kind]
        op = kinds[0][0] if kinds else (one.ops[-1] if one.ops else Op("NONE", [], []))
        yield _problem(op, "the ops of the graph depend on the size (padding or pooling that fits one size only)")
        return
    twin = dict(zip(one.inputs, two.inputs, strict=True))
    for given, other_given in twin.items():
        _open(given, other_given)
    for op, other_op in zip(one.ops, two.ops, strict=True):
        for tensor, other in zip(op.inputs, other_op.inputs, strict=True):
            yield from _merge_input(op, tensor, other, twin)
        if op.kind == "RESHAPE":
            op.options.pop("new_shape", None)
            other_op.options.pop("new_shape", None)
        if op.options != other_op.options:
            yield _problem(op, "its options depend on the size")
        for made, other_made in zip(op.outputs, other_op.outputs, strict=True):
            twin[made] = other_made
            _open(made, other_made)


def _merge_input(
    op: Op, tensor: Tensor | None, other: Tensor | None, twin: dict[Tensor, Tensor]
) -> Iterator[UnsupportedOp]:
    if tensor is None or other is None or tensor.data is None:
        if tensor is not other and (tensor is None or twin.get(tensor) is not other):
            yield _problem(op, "what it reads depends on the size")
        return
    if other.data is not None and np.array_equal(tensor.data, other.data):
        return
    if other.data is not None and op.kind == "RESHAPE" and tensor is op.inputs[1]:
        differing = np.flatnonzero(tensor.data != other.data) if tensor.shape == other.shape else np.arange(2)
        if differing.size == 1:
            wanted = tensor.data.copy()
            wanted[differing] = -1
            op.inputs[1] = Tensor(f"{op.name}/open_shape", tensor.shape, tensor.dtype, wanted)
            return
        yield _problem(
            op, f"it reshapes to {tensor.data.tolist()} and {other.data.tolist()}: more than one entry is open"
        )
        return
    yield _problem(op, f"its constant '{tensor.name}' depends on the size")


def _open(tensor: Tensor, other: Tensor) -> None:
    if tensor.shape != other.shape:
        pairs = zip(tensor.shape, other.shape, strict=True)
        tensor.shape_signature = tuple(a if a == b else -1 for a, b in pairs)


def _problem(op: Op, reason: str) -> UnsupportedOp:
    return UnsupportedOp(op.kind, op.name, f"dynamic shapes: {reason}", op.source, "fix this dimension")
